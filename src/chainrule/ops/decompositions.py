"""Decompositions of matrices: QR, eigenvalues of symmetric ones, singular values.

What NumPy's LAPACK leaves open is settled, so that compiled programs, which compute in another way, give the same:

- qr: the diagonal of R is not negative.
- eigh, svd: of each eigenvector, or left singular vector, the first of its large elements (0.7 of the largest, or more)
  is positive. Eigenvalues ascend, singular values descend. Vectors of equal values are any orthonormal basis.

Vectors of equal values have no derivative: how they turn within their common space is not determined. That part is
taken as 0, so nothing is infinite or NaN. It is right for a loss of the values, and of the spaces that vectors of equal
values span (a projector, the nearest orthogonal matrix); a matrix function such as V exp(w) V* loses what is off the
diagonal in such a space. Values count as equal where they differ by rounding alone.

Sources: PyTorch's notes on its complex SVD and QR derivatives; J. Townsend, "Differentiating the singular value
decomposition" (2016); M. Seeger et al., "Auto-differentiating linear algebra" (2017).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import GradientError
from ..ir.build import constant, splat, zeros_like
from ..ir.primitive import JointRule, Primitive, Sample, register
from ..ir.types import ArrayType, NumpyArray, float32
from . import broadcasting, reduction, structure
from . import elementwise as ew
from .batching import batched_by_leading_axes
from .linear import matmul
from .linear_systems import solve, square_samples, wide
from .matrices import (
    adjoint_array,
    adjoint_matrix,
    as_complex,
    columns,
    on_finite,
    real_type,
    require_matrix,
    rows,
    symmetric_part,
    times,
    well_spread,
    with_nan,
)
from .samples import with_gaps

LARGE = 0.7
"""An element of a vector is large if its size is so much of the largest."""

Cotangents = tuple[Any, ...]


def _plus(first: Any, second: Any) -> Any:
    """A sum of terms of which some are absent."""
    return second if first is None else first if second is None else first + second


# -- QR


def _qr_type(a: ArrayType, *, complete: bool) -> tuple[ArrayType, ArrayType]:
    require_matrix("qr", a)
    m, n = a.shape[-2:]
    inner = m if complete else min(m, n)
    return a.with_shape((*a.shape[:-1], inner)), a.with_shape((*a.shape[:-2], inner, n))


def _qr(a: NumpyArray, *, complete: bool) -> tuple[Any, Any]:
    q, r = on_finite("qr", lambda a: tuple(np.linalg.qr(a, "complete" if complete else "reduced")), a)
    count = min(q.shape[-1], r.shape[-1])
    phases = np.ones((*q.shape[:-2], q.shape[-1]), q.dtype)
    phases[..., :count] = _phases(np.diagonal(r, axis1=-2, axis2=-1)[..., :count])
    return q * phases[..., None, :], r * phases.conj()[..., :, None]


def _phases(x: NumpyArray) -> NumpyArray:
    """x / |x|, and 1 where x is 0."""
    size = np.abs(x)
    return np.asarray(np.where(size == 0, 1, x) / np.where(size == 0, 1, size), x.dtype)


def _qr_rule(
    wanted: tuple[bool, ...], cotangents: Cotangents, outputs: Cotangents, inputs: Cotangents, *, complete: bool
) -> list[Any]:
    (a,), (q, r), (by_q, by_r) = inputs, outputs, cotangents
    m, n = a.shape[-2:]
    if complete and m > n:
        raise GradientError(
            f'qr(mode="complete") of {a.type} has no gradient: columns that only complete the basis are not determined '
            'by the matrix; use mode="reduced"'
        )
    if m >= n:
        return [_qr_pullback(q, r, by_q, by_r)]
    left, right = structure.narrow(r, r.ndim - 1, 0, m), structure.narrow(a, a.ndim - 1, m, n)
    by_left = by_right = None
    if by_r is not None:
        by_left, by_right = (structure.narrow(by_r, r.ndim - 1, *ends) for ends in ((0, m), (m, n)))
        by_q = _plus(by_q, matmul(right, adjoint_matrix(by_right)))
    first = _qr_pullback(q, left, by_q, by_left)
    second = zeros_like(right) if by_right is None else matmul(q, by_right)
    return [structure.concat(first, second, axis=a.ndim - 1)]


def _qr_pullback(q: Any, r: Any, by_q: Any, by_r: Any) -> Any:
    """[by_q + q · (upper triangle of (by_r r* - q* by_q), made symmetric)] r*⁻¹, of r square."""
    inner: Any = None if by_r is None else matmul(by_r, adjoint_matrix(r))
    inner = inner if by_q is None else _plus(inner, -matmul(adjoint_matrix(q), by_q))
    n = r.shape[-1]
    upper = constant(np.triu(np.ones((n, n), r.dtype)) - 0.5 * np.eye(n, dtype=r.dtype))
    half = inner * broadcasting.broadcast_to(upper, shape=inner.shape)
    total = _plus(by_q, matmul(q, half + adjoint_matrix(half)))
    return adjoint_matrix(solve(r, adjoint_matrix(total)))


def _samples_of(*shapes: tuple[int, int], batch: tuple[int, int, tuple[int, ...]], **params: Any) -> Iterator[Sample]:
    for m, n in shapes:
        yield Sample((well_spread(n, m=m),), params)
    m, n, leading = batch
    yield Sample((well_spread(n, leading, m=m),), params)
    yield Sample((well_spread(n, m=m).astype(float32),), params)
    yield Sample((with_gaps(well_spread(n, m=m)),), params)
    yield Sample((with_nan(well_spread(2)),), params, smooth=False)


def _qr_samples() -> Iterator[Sample]:
    yield from _samples_of((3, 3), (2, 4), (1, 1), (0, 2), batch=(3, 2, (2,)), complete=False)
    yield Sample((well_spread(3, m=2),), {"complete": True})


qr: Primitive = register(Primitive("qr", _qr_type, _qr, JointRule(_qr_rule), "qr({0})", _qr_samples))


# -- differences of values


def _inverse_differences(values: Any, shape: tuple[int, ...]) -> Any:
    """1 / (values_j - values_i) at i, j; 0 where they are equal but for rounding."""
    difference = columns(values, shape) - rows(values, shape)
    largest = reduction.max(ew.abs(values), axes=(values.ndim - 1,)) if values.shape[-1] else None
    if largest is None:
        return difference
    unit = float(np.finfo(values.dtype).eps) * max(shape[-1], 4)
    equal = ew.less_equal(ew.abs(difference), wide(ew.stop_gradient(largest) * unit, difference))
    return ew.where(equal, zeros_like(difference), 1 / ew.where(equal, splat(1, difference.type), difference))


def diagonal_matrix(values: Any, like: Any) -> Any:
    """(..., n) as diagonal matrices in the element type of `like`."""
    n = values.shape[-1]
    shape = (*values.shape, n)
    identity = broadcasting.broadcast_to(constant(np.eye(n, dtype=values.dtype)), shape=shape)
    return as_complex(columns(values, shape) * identity, like)


# -- eigenvalues of symmetric matrices


def _eigh_type(a: ArrayType) -> tuple[ArrayType, ArrayType]:
    require_matrix("eigh", a, square=True)
    return real_type(a, a.shape[:-1]), a


def _eigh(a: NumpyArray) -> tuple[Any, Any]:
    values, vectors = on_finite("eigh", lambda a: tuple(np.linalg.eigh(a)), 0.5 * (a + adjoint_array(a)))
    return values, vectors * column_phases(vectors).conj()


def column_phases(vectors: NumpyArray) -> NumpyArray:
    """For each column the phase of the first of its large elements: (..., 1, n)"""
    if not vectors.size:
        return np.ones((*vectors.shape[:-2], 1, vectors.shape[-1]), vectors.dtype)
    size = np.abs(vectors)
    first = np.argmax(size >= LARGE * size.max(-2, keepdims=True), axis=-2, keepdims=True)
    return _phases(np.take_along_axis(vectors, first, -2))


def _eigh_rule(wanted: tuple[bool, ...], cotangents: Cotangents, outputs: Cotangents, inputs: Cotangents) -> list[Any]:
    (a,), (values, vectors), (by_values, by_vectors) = inputs, outputs, cotangents
    inner = None if by_values is None else diagonal_matrix(by_values, a)
    if by_vectors is not None:
        turned = matmul(adjoint_matrix(vectors), by_vectors)
        inner = _plus(inner, as_complex(_inverse_differences(values, a.shape), a) * turned)
    return [symmetric_part(matmul(matmul(vectors, inner), adjoint_matrix(vectors)))]


eigh: Primitive = register(Primitive("eigh", _eigh_type, _eigh, JointRule(_eigh_rule), "eigh({0})", square_samples))


# -- singular values


def _svd_type(a: ArrayType, *, full: bool) -> tuple[ArrayType, ArrayType, ArrayType]:
    require_matrix("svd", a)
    (m, n), batch = a.shape[-2:], a.shape[:-2]
    inner = min(m, n)
    left, right = (m, n) if full else (inner, inner)
    return a.with_shape((*batch, m, left)), real_type(a, (*batch, inner)), a.with_shape((*batch, right, n))


def _svd(a: NumpyArray, *, full: bool) -> tuple[Any, Any, Any]:
    u, s, vh = on_finite("svd", lambda a: tuple(np.linalg.svd(a, full_matrices=full)), a)
    inner = s.shape[-1]
    phases = column_phases(u[..., :inner])
    u, vh = np.array(u), np.array(vh)
    u[..., :inner] *= phases.conj()
    vh[..., :inner, :] *= np.swapaxes(phases, -1, -2)
    return u, s, vh


def _svd_rule(
    wanted: tuple[bool, ...], cotangents: Cotangents, outputs: Cotangents, inputs: Cotangents, *, full: bool
) -> list[Any]:
    """With X, Y the skew parts of u* by_u and v* by_v, the cotangent of u* a v is
    by_s + (X + Y) / 2 (s_j - s_i) + (X - Y) / 2 (s_j + s_i): written so, equal singular values spoil the second term
    alone, which is 0 / 0 where the basis does not matter. What u and v leave out is added."""
    (a,), (u, s, vh), (by_u, by_s, by_vh) = inputs, outputs, cotangents
    if full and a.shape[-1] != a.shape[-2] and not (by_u is None and by_vh is None):
        raise GradientError(
            f"svd(full_matrices=True) of {a.type}: singular vectors that only complete the basis have no gradient; use "
            "full_matrices=False"
        )
    if full:
        count = s.shape[-1]
        u, vh = structure.narrow(u, u.ndim - 1, 0, count), structure.narrow(vh, vh.ndim - 2, 0, count)
    v = adjoint_matrix(vh)
    by_v = None if by_vh is None else adjoint_matrix(by_vh)
    inner = None if by_s is None else diagonal_matrix(by_s, a)
    x, y = (_skew(basis, given) for basis, given in ((u, by_u), (v, by_v)))
    inner = inner if x is None and y is None else _plus(inner, _turned(s, x, y))
    total = None if inner is None else matmul(matmul(u, inner), vh)
    if by_u is not None and a.shape[-2] > s.shape[-1]:
        total = _plus(total, matmul(_left_out(u, by_u, s), vh))
    if by_v is not None and a.shape[-1] > s.shape[-1]:
        total = _plus(total, matmul(u, adjoint_matrix(_left_out(v, by_v, s))))
    return [total]


def _skew(basis: Any, given: Any) -> Any:
    if given is None:
        return None
    inner = matmul(adjoint_matrix(basis), given)
    return inner - adjoint_matrix(inner)


def _turned(s: Any, x: Any, y: Any) -> Any:
    some = y if x is None else x
    total = _plus(x, y)
    apart = x if y is None else -y if x is None else x - y
    shape = some.shape
    sums = columns(s, shape) + rows(s, shape)
    return as_complex(0.5 * _inverse_differences(s, shape), some) * total + times(0.5 / sums, apart)


def _left_out(basis: Any, given: Any, s: Any) -> Any:
    """What of the cotangent of a basis lies outside of it, over the singular values."""
    outside = given - matmul(basis, matmul(adjoint_matrix(basis), given))
    return times(columns(1 / s, outside.shape), outside)


def _svd_samples() -> Iterator[Sample]:
    yield from _samples_of((3, 3), (2, 4), (1, 1), (0, 2), batch=(3, 2, (2,)), full=False)
    yield Sample((well_spread(2),), {"full": True})


svd: Primitive = register(Primitive("svd", _svd_type, _svd, JointRule(_svd_rule), "svd({0})", _svd_samples))


batched_by_leading_axes(qr, eigh, svd)
