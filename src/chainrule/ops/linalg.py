"""Functions of matrices made of primitives: inverses, norms, ranks, products. On Values; no rules of their own.

Matrices are the last two axes; all axes before them are a batch, and broadcast where there are two arrays.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..errors import ConfigurationError, ShapeError
from ..ir.graph import Value
from ..ir.limits import finfo
from ..ir.types import as_integer, broadcast_shapes, normalize_axes, normalize_axis, promote
from . import decompositions, determinant, linear_systems
from . import elementwise as ew
from .arrays import concat, max, min, squares, sum
from .linear import matmul
from .matrices import adjoint_matrix, as_complex, columns, identity_like
from .operators import apply, astype, broadcast, common, floating, lift, reshape, where
from .structure import narrow, slice


class EighResult(NamedTuple):
    """What eigh gives."""

    eigenvalues: Any
    eigenvectors: Any


class QRResult(NamedTuple):
    """What qr gives."""

    Q: Any
    R: Any


class SlogdetResult(NamedTuple):
    """What slogdet gives."""

    sign: Any
    logabsdet: Any


class SVDResult(NamedTuple):
    """What svd gives."""

    U: Any
    S: Any
    Vh: Any


# -- systems, determinants, decompositions


def solve(x1: Any, x2: Any) -> Value:
    """The x for which x1 @ x = x2; x2 is a vector where it has one axis, else a matrix of columns.

    Raises LinearAlgebraError for a singular matrix.
    """
    a, b = floating(x1), floating(x2)
    dtype = promote(a.dtype, b.dtype)
    a, b = astype(a, dtype), astype(b, dtype)
    if b.ndim == 1:
        return reshape(solve(a, reshape(b, (*b.shape, 1))), (*a.shape[:-2], b.shape[0]))
    batch = broadcast_shapes(a.shape[:-2], b.shape[:-2])
    result: Value = linear_systems.solve(broadcast(a, batch + a.shape[-2:]), broadcast(b, batch + b.shape[-2:]))
    return result


def inv(x: Any) -> Value:
    """The inverse of square matrices; to solve a system `solve` is faster and more exact.

    Raises LinearAlgebraError for a singular matrix.
    """
    value = floating(x)
    result: Value = linear_systems.solve(value, identity_like(value))
    return result


def det(x: Any) -> Value:
    """Determinants of square matrices; of singular ones the gradient is right too."""
    result: Value = determinant.det(floating(x))
    return result


def slogdet(x: Any) -> SlogdetResult:
    """(sign, logarithm of the size) of determinants, which overflow for large matrices."""
    return SlogdetResult(*linear_systems.slogdet(floating(x)))


def cholesky(x: Any, upper: bool = False) -> Value:
    """The lower triangular L with L @ L* = x, or with upper=True its adjoint; of the symmetric part of x.

    Raises LinearAlgebraError where x is not positive definite.
    """
    factor: Value = linear_systems.cholesky(floating(x))
    if not upper:
        return factor
    result: Value = adjoint_matrix(factor)
    return result


def qr(x: Any, mode: str = "reduced") -> QRResult:
    """x = Q @ R with orthonormal columns of Q, and R upper triangular with a diagonal that is not negative."""
    if mode not in ("reduced", "complete"):
        raise ConfigurationError(f'qr: mode is "reduced" or "complete", not {mode!r}')
    return QRResult(*decompositions.qr(floating(x), complete=mode == "complete"))


def eigh(x: Any) -> EighResult:
    """Eigenvalues in ascending order, and eigenvectors as columns, of the symmetric (Hermitian) part of x."""
    return EighResult(*decompositions.eigh(floating(x)))


def eigvalsh(x: Any) -> Value:
    """Eigenvalues of the symmetric part of x, in ascending order."""
    result: Value = eigh(x).eigenvalues
    return result


def svd(x: Any, full_matrices: bool = True) -> SVDResult:
    """x = U @ diag(S) @ Vh with orthonormal columns of U and rows of Vh, and S in descending order.

    Gradients of U and Vh need full_matrices=False, unless x is square.
    """
    return SVDResult(*decompositions.svd(floating(x), full=bool(full_matrices)))


def svdvals(x: Any) -> Value:
    """Singular values in descending order."""
    result: Value = svd(x, full_matrices=False).S
    return result


def pinv(x: Any, rtol: Any = None) -> Value:
    """The Moore-Penrose inverse: singular values of at most rtol times the largest count as zero.

    rtol: the larger size of a matrix times the rounding unit, unless given.
    """
    u, s, vh = svd(x, full_matrices=False)
    kept = s > _limit(s, u, vh, rtol)
    inverse = where(kept, 1 / where(kept, s, 1.0), 0.0)
    result: Value = matmul(adjoint_matrix(vh) * as_complex(columns(inverse, _swapped(vh.shape)), u), adjoint_matrix(u))
    return result


def _swapped(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*shape[:-2], shape[-1], shape[-2])


def _limit(s: Value, u: Value, vh: Value, rtol: Any) -> Value:
    """What singular values must exceed not to count as zero, for each matrix: (..., 1)"""
    if rtol is None:
        sizes = (u.shape[-2], vh.shape[-1])
        rtol = finfo(s.dtype).eps * (sizes[0] if sizes[0] > sizes[1] else sizes[1])
    largest = max(s, -1, keepdims=True) if s.shape[-1] else reshape(sum(s, -1), (*s.shape[:-1], 1))
    given = lift(rtol, s.dtype)
    given = reshape(given, (*given.shape, 1)) if given.ndim else given
    result: Value = ew.stop_gradient(largest) * astype(given, s.dtype)
    return result


def matrix_rank(x: Any, rtol: Any = None) -> Value:
    """How many singular values are larger than rtol times the largest, in int64."""
    u, s, vh = svd(x, full_matrices=False)
    return sum(astype(s > _limit(s, u, vh, rtol), np.int64), -1)


def matrix_power(x: Any, n: int) -> Value:
    """x @ x @ ... n times, by repeated squaring; with a negative n of the inverse."""
    value, exponent = lift(x), as_integer(n, "the power")
    if value.ndim < 2 or value.shape[-1] != value.shape[-2]:
        raise ShapeError(f"matrix_power takes square matrices, but was given {value.type}")
    if exponent < 0:
        return matrix_power(inv(value), -exponent)
    result: Value | None = None
    for bit in bin(exponent)[2:]:
        result = None if result is None else matmul(result, result)
        if bit == "1":
            result = value if result is None else matmul(result, value)
    return identity_like(value) if result is None else result


# -- norms


def _root(total: Value) -> Value:
    """The square root of a sum of squares; where it is 0 so is its gradient."""
    zero = total == 0
    return where(zero, 0.0, ew.sqrt(where(zero, 1.0, total)))


def vector_norm(x: Any, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Value:
    """(sum of |x| to the power ord) to the power 1 / ord over `axis`, or over all elements.

    ord: any number; inf and -inf for the largest and smallest size, 0 counts elements that are not zero.
    """
    value = floating(x)
    axes = normalize_axes(tuple(axis) if isinstance(axis, list) else axis, value.ndim)
    if ord == 2:
        return _root(sum(squares(value), axes, keepdims))
    size = apply(ew.abs, value)
    if ord in (math.inf, -math.inf):
        return (max if ord > 0 else min)(size, axes, keepdims)
    if ord == 0:
        return astype(sum(astype(size != 0, size.dtype), axes, keepdims), size.dtype)
    if ord == 1:
        return sum(size, axes, keepdims)
    total = sum(size ** float(ord), axes, keepdims)
    zero = total == 0
    return where(zero, 0.0 if ord > 0 else total, where(zero, 1.0, total) ** (1.0 / ord))


def matrix_norm(x: Any, keepdims: bool = False, ord: Any = "fro") -> Value:
    """A norm of each matrix.

    ord: "fro" root of the sum of squares, "nuc" sum of singular values, 2 and -2 the largest and smallest of them, 1
    and -1 largest and smallest sum of sizes of a column, inf and -inf of a row.
    """
    value = floating(x)
    if value.ndim < 2:
        raise ShapeError(f"matrix_norm takes matrices, which are the last two axes, but was given {value.type}")
    found = _matrix_norm(value, ord)
    return reshape(found, (*found.shape, 1, 1)) if keepdims else found


def _matrix_norm(value: Value, ord: Any) -> Value:
    if ord == "fro":
        return _root(sum(squares(value), (-2, -1)))
    if ord == "nuc":
        return sum(svdvals(value), -1)
    choices = {1: (-2, max), -1: (-2, min), math.inf: (-1, max), -math.inf: (-1, min)}
    if ord in choices:
        axis, choose = choices[ord]
        return choose(sum(apply(ew.abs, value), axis), -1)
    if ord in (2, -2):
        return (max if ord > 0 else min)(svdvals(value), -1)
    raise ConfigurationError(f'matrix_norm: ord is "fro", "nuc", 1, -1, 2, -2, inf or -inf, not {ord!r}')


# -- products and diagonals


def cross(x1: Any, x2: Any, axis: int = -1) -> Value:
    """The vector product along `axis`, which has three elements."""
    first, second = common(x1, x2)
    place = normalize_axis(axis, first.ndim)
    if lift(x1).shape[axis] != 3 or lift(x2).shape[axis] != 3:
        raise ShapeError(f"cross takes vectors of three elements along axis {axis}, but was given {first.type}")
    a, b = ([narrow(each, place, part, part + 1) for part in range(3)] for each in (first, second))
    return concat([a[i] * b[j] - a[j] * b[i] for i, j in ((1, 2), (2, 0), (0, 1))], axis=place)


def diagonal(x: Any, offset: int = 0) -> Value:
    """The elements of the last two axes whose column is their row plus `offset`: (..., count)"""
    value, shift = lift(x), as_integer(offset, "offset")
    if value.ndim < 2:
        raise ShapeError(f"diagonal takes matrices, which are the last two axes, but was given {value.type}")
    m, n = value.shape[-2:]
    start = shift if shift >= 0 else -shift * n
    rest, below = (n - shift, m) if shift >= 0 else (n, m + shift)
    count = rest if rest < below else below
    if count <= 0:
        return reshape(narrow(reshape(value, (*value.shape[:-2], m * n)), value.ndim - 2, 0, 0), (*value.shape[:-2], 0))
    flat = reshape(value, (*value.shape[:-2], m * n))
    if count == 1:
        only: Value = narrow(flat, flat.ndim - 1, start, start + 1)
        return only
    ends = [(0, size, 1) for size in flat.shape[:-1]] + [(start, start + (count - 1) * (n + 1) + 1, n + 1)]
    starts, stops, steps = (tuple(each) for each in zip(*ends))
    result: Value = slice(flat, starts=starts, stops=stops, steps=steps)
    return result


def trace(x: Any, offset: int = 0, dtype: Any = None) -> Value:
    """The sum of the diagonal."""
    return sum(diagonal(x, offset), -1, dtype=dtype)
