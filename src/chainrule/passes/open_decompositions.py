"""QR by Householder's reflections, eigenvalues and singular values by Jacobi's rotations, as loops.

Rotations are done for n / 2 pairs of columns at once: columns i and i + n / 2 are a pair, and after each round all but
the first move on by one place, so that in n - 1 rounds, a sweep, each column meets every other and is back at its place
(R. Brent and F. Luk, "The solution of singular-value and symmetric eigenvalue problems on multiprocessor
arrays", 1985).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import functions as f
from ..control import scan, while_loop
from ..linalg import diagonal
from ..ops.decompositions import LARGE
from .open_systems import adjoint, det, element, on_finite, squares

MOST_SWEEPS = 30


def unit_phase(x: Any) -> Any:
    """x / |x|, and 1 where x is 0."""
    return f.where(x == 0, 1.0, f.sign(x))


# -- QR


@on_finite
def qr(a: Any, complete: bool) -> tuple[Any, Any]:
    """The diagonal of R is made positive at the end."""
    m, n = a.shape[-2:]
    width = m if complete else min(m, n)
    if not a.size:
        eye = np.broadcast_to(np.eye(m, width, dtype=a.dtype), (*a.shape[:-2], m, width))
        return f.asarray(eye), f.zeros((*a.shape[:-2], width, n), dtype=a.dtype)
    mirrors, r = _reflected(a)
    q = _basis(mirrors, m, width)
    count = min(m, n)
    r = f.triu(r[..., :width, :])
    phase = unit_phase(diagonal(r)[..., :count])
    q_phase = f.concat([phase, f.ones((*phase.shape[:-1], width - count), dtype=a.dtype)], axis=-1)
    return q * f.expand_dims(q_phase, axis=-2), r * f.expand_dims(f.conj(q_phase), axis=-1)


def _reflected(a: Any) -> tuple[Any, Any]:
    """Vectors v of reflections 1 - v v*, (count, ..., m), and what they make of a."""
    m, n = a.shape[-2:]
    rows = np.arange(m)

    def step(work: Any, k: Any) -> Any:
        column = f.where(rows >= k, f.take(work, k, axis=0), 0.0)  # (..., m)
        largest = f.max(f.abs(column), axis=-1, keepdims=True)
        column = column / f.where(largest == 0, 1.0, largest)
        phase = unit_phase(element(column, k))
        v = column + f.where(rows == k, phase * f.sqrt(squares(column)), 0.0)
        length = squares(v)
        v = v * f.where(length == 0, 0.0, f.sqrt(2 / f.where(length == 0, 1.0, length)))
        return _mirrored(work, v), v

    work, mirrors = scan(step, f.moveaxis(a, -1, 0), f.arange(min(m, n)))
    return mirrors, f.moveaxis(work, 0, -1)


def _mirrored(columns: Any, v: Any) -> Any:
    """Each column less v (v* column): (n, ..., m)"""
    return columns - f.sum(f.conj(v) * columns, axis=-1, keepdims=True) * v


def _basis(mirrors: Any, m: int, width: int) -> Any:
    batch = mirrors.shape[1:-1]
    start = np.broadcast_to(
        np.eye(width, m, dtype=mirrors.dtype).reshape((width, *(1,) * len(batch), m)), (width, *batch, m)
    )
    columns, _ = scan(lambda columns, v: (_mirrored(columns, v), None), f.asarray(start), mirrors, reverse=True)
    return f.moveaxis(columns, 0, -1)


# -- rotations


def _rotation(p: Any, q: Any, between: Any) -> tuple[Any, Any, Any]:
    """(cosine, sine, phase) that make the pair's element off the diagonal 0, given those on it: (..., pairs)"""
    size = f.abs(between)
    zero = size == 0
    slope = (q - p) / (2 * f.where(zero, 1.0, size))
    tangent = f.copysign(1.0, slope) / (f.abs(slope) + f.hypot(slope, 1.0))
    tangent = f.where(zero, 0.0, tangent)
    cosine = f.rsqrt(1 + tangent * tangent)
    return cosine, tangent * cosine, unit_phase(between)


def _turned(x: Any, cosine: Any, sine: Any, phase: Any) -> Any:
    """Pairs of columns turned, and all moved on by one place: (..., rows, n)"""
    half = x.shape[-1] // 2
    first, second = x[..., :half], x[..., half:]
    c, s = (f.expand_dims(each, axis=-2) for each in (cosine, sine))
    second = second * f.expand_dims(f.conj(phase), axis=-2)
    first, second = c * first - s * second, s * first + c * second
    if half == 1:
        return f.concat([first, second], axis=-1)
    parts = [first[..., :1], second[..., :1], first[..., 1:-1], second[..., 1:], first[..., -1:]]
    return f.concat(parts, axis=-1)


def _even(a: Any, rows_too: bool) -> Any:
    """With a column (and row) of zeros more, where their number is odd."""
    if a.shape[-1] % 2 == 0:
        return a
    return f.pad(a, [(0, 0)] * (a.ndim - 2) + [(0, int(rows_too)), (0, 1)])


def _identity(n: int, like: Any) -> Any:
    return f.asarray(np.broadcast_to(np.eye(n, dtype=like.dtype), (*like.shape[:-2], n, n)))


def _sorted(values: Any, descending: bool, *matrices: Any) -> list[Any]:
    """Values in order, and the columns of matrices with them."""
    order = f.argsort(values, axis=-1, descending=descending)
    places = f.expand_dims(order, axis=-2)
    return [
        f.take_along_axis(values, order),
        *(f.take_along_axis(each, f.broadcast_to(places, each.shape)) for each in matrices),
    ]


def _column_phase(vectors: Any) -> Any:
    """For each column the phase of the first of its large elements: (..., 1, n)"""
    size = f.abs(vectors)
    first = f.argmax(f.astype(size >= LARGE * f.max(size, axis=-2, keepdims=True), "int8"), axis=-2, keepdims=True)
    rows = np.arange(vectors.shape[-2])[:, None]
    return unit_phase(f.sum(f.where(rows == first, vectors, 0.0), axis=-2, keepdims=True))


# -- eigenvalues


@on_finite
def eigh(a: Any) -> tuple[Any, Any]:
    """Sweeps until what is off the diagonal is rounding alone."""
    n = a.shape[-1]
    if not a.size:
        return f.zeros(a.shape[:-1], dtype=f.real(a).dtype), a
    a = 0.5 * (a + adjoint(a))
    scale = f.max(f.abs(a), axis=(-2, -1), keepdims=True)
    scale = f.where(scale == 0, 1.0, scale)
    work = _even(a / scale, rows_too=True)
    size = work.shape[-1]
    off = 1.0 - np.eye(size, dtype=f.real(a).dtype)
    limit = float(np.finfo(a.dtype).eps)

    def goes_on(carry: Any) -> Any:
        work, _, sweep = carry
        sizes = f.abs(work)
        rest, whole = (f.sum(each * each, axis=(-2, -1)) for each in (sizes * off, sizes))
        return (f.sqrt(rest) > limit * f.sqrt(whole)).any() & (sweep < MOST_SWEEPS)

    def turn(carry: Any, _: Any) -> Any:
        work, vectors = carry
        half = size // 2
        own = f.real(diagonal(work))
        turns = _rotation(own[..., :half], own[..., half:], diagonal(work[..., :half, half:]))
        work = adjoint(_turned(adjoint(_turned(work, *turns)), *turns))
        return (work, _turned(vectors, *turns)), None

    def sweep(carry: Any) -> Any:
        work, vectors, count = carry
        (work, vectors), _ = scan(turn, (work, vectors), None, size - 1)
        return work, vectors, count + 1

    work, vectors, _ = while_loop(goes_on, sweep, (work, _identity(size, work), 0))
    values, vectors = _sorted(f.real(diagonal(work))[..., :n], False, vectors[..., :n, :n])
    return values * scale[..., 0], vectors * f.conj(_column_phase(vectors))


# -- singular values


@on_finite
def svd(a: Any, full: bool) -> tuple[Any, Any, Any]:
    """Columns are turned until they are orthogonal; of tall matrices it is done to R of QR."""
    m, n = a.shape[-2:]
    if not a.size:
        return _empty_svd(a, full)
    if m < n:
        u, s, vh = _tall_svd(adjoint(a), full)
        u, vh = adjoint(vh), adjoint(u)
    else:
        u, s, vh = _tall_svd(a, full)
    count = min(m, n)
    phase = _column_phase(u[..., :count])
    u = f.concat([u[..., :count] * f.conj(phase), u[..., count:]], axis=-1)
    return u, s, f.concat([vh[..., :count, :] * f.matrix_transpose(phase), vh[..., count:, :]], axis=-2)


def _empty_svd(a: Any, full: bool) -> tuple[Any, Any, Any]:
    m, n = a.shape[-2:]
    left, right = (m, n) if full else (min(m, n),) * 2
    u, vh = (
        f.asarray(np.broadcast_to(np.eye(*shape, dtype=a.dtype), (*a.shape[:-2], *shape)))
        for shape in ((m, left), (right, n))
    )
    return u, f.zeros((*a.shape[:-2], min(m, n)), dtype=f.real(a).dtype), vh


def _tall_svd(a: Any, full: bool) -> tuple[Any, Any, Any]:
    m, n = a.shape[-2:]
    if m == n:
        return _square_svd(a)
    q, r = qr(a, complete=full)
    u, s, vh = _square_svd(r[..., :n, :])
    return f.concat([q[..., :n] @ u, q[..., n:]], axis=-1), s, vh


def _square_svd(a: Any) -> tuple[Any, Any, Any]:
    n = a.shape[-1]
    scale = f.max(f.abs(a), axis=(-2, -1), keepdims=True)
    scale = f.where(scale == 0, 1.0, scale)
    columns, v = _orthogonal_columns(a / scale)
    s = f.sqrt(squares(columns, axis=-2, keepdims=False))[..., :n]
    s, columns, v = _sorted(s, True, columns[..., :n], v[..., :n, :n])
    u, _ = qr(columns, complete=False)
    return u, s * scale[..., 0], adjoint(v)


def _orthogonal_columns(a: Any) -> tuple[Any, Any]:
    """a times a rotation, and that: columns are orthogonal but for rounding."""
    work = _even(a, rows_too=False)
    size = work.shape[-1]
    limit = float(np.finfo(a.dtype).eps)

    def turn(carry: Any, _: Any) -> Any:
        work, v = carry
        half = size // 2
        first, second = work[..., :half], work[..., half:]
        p, q = (squares(each, axis=-2, keepdims=False) for each in (first, second))
        between = f.sum(f.conj(first) * second, axis=-2)
        turns = _rotation(p, q, between)
        lengths = f.sqrt(p) * f.sqrt(q)
        left = f.max(f.where(lengths == 0, 0.0, f.abs(between) / f.where(lengths == 0, 1.0, lengths)))
        return (_turned(work, *turns), _turned(v, *turns)), left

    def sweep(carry: Any) -> Any:
        work, v, _, count = carry
        (work, v), left = scan(turn, (work, v), None, size - 1)
        return work, v, f.max(left), count + 1

    start = (work, _identity(size, work), f.ones((), dtype=f.real(a).dtype), 0)
    work, v, _, _ = while_loop(lambda carry: (carry[2] > size * limit) & (carry[3] < MOST_SWEEPS), sweep, start)
    return work, v


@on_finite
def cofactors(a: Any) -> Any:
    """From the singular values, each product without one of them."""
    if not a.size:
        return a
    u, s, vh = svd(a, full=False)
    own = np.eye(a.shape[-1], dtype=bool)
    others = f.prod(f.where(own, 1.0, f.expand_dims(s, axis=-2)), axis=-1)
    phase = f.conj(det(u) * det(vh))[..., None, None]
    return phase * ((u * f.expand_dims(others, axis=-2)) @ vh)
