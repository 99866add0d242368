"""Linear systems and what belongs to them: solve, Cholesky's factor, determinants.

Derivatives: M. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation"
(2008); of Cholesky's factor I. Murray, "Differentiation of the Cholesky decomposition" (2016).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ir.build import constant, zeros_like
from ..ir.primitive import JointRule, Primitive, Sample, register
from ..ir.types import ArrayType, NumpyArray, float32
from .batching import batched_by_leading_axes
from .broadcasting import broadcast_to
from .complex import imag, join
from .elementwise import adjoint
from .linear import matmul
from .matrices import (
    adjoint_array,
    adjoint_matrix,
    as_complex,
    identity_like,
    on_finite,
    real_type,
    require_matrix,
    symmetric_part,
    well_spread,
    with_nan,
)
from .samples import spread, with_gaps
from .structure import reshape
from .type_rules import require_same

# -- solve


def _solve_type(a: ArrayType, b: ArrayType) -> ArrayType:
    require_matrix("solve", a, square=True)
    require_matrix("solve", b)
    require_same("solve", a.with_shape(()), b.with_shape(()))
    if b.shape[:-1] != a.shape[:-1]:
        raise ShapeError(f"solve needs (..., n, n) and (..., n, k) with equal leading sizes, but was given {a} and {b}")
    return b


def _solve(a: NumpyArray, b: NumpyArray) -> Any:
    return on_finite("solve", np.linalg.solve, a, b)


def _solve_rule_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    return -matmul(solve(adjoint_matrix(a), g), adjoint_matrix(y))


def _solve_samples() -> Iterator[Sample]:
    for n, k, batch in ((3, 2, ()), (1, 1, ()), (2, 1, (2,)), (0, 2, ())):
        yield Sample((well_spread(n, batch), spread((*batch, n, k), -1, 1, 1)))
    yield Sample((well_spread(3).astype(float32), spread((3, 2), -1, 1, 1).astype(float32)))
    yield Sample((with_gaps(well_spread(3)), with_gaps(spread((3, 2), -1, 1, 1))))
    yield Sample((with_nan(well_spread(2)), spread((2, 1), -1, 1)), smooth=False)


solve: Primitive = register(
    Primitive(
        "solve",
        _solve_type,
        _solve,
        (_solve_rule_a, lambda g, y, a, b: solve(adjoint_matrix(a), g)),
        "{0}⁻¹ {1}",
        _solve_samples,
    )
)

# -- Cholesky's factor


def _square_type(name: str) -> Any:
    def rule(a: ArrayType) -> ArrayType:
        require_matrix(name, a, square=True)
        return a

    return rule


def _cholesky(a: NumpyArray) -> Any:
    return on_finite("cholesky", np.linalg.cholesky, 0.5 * (a + adjoint_array(a)))


def half_triangle(x: Any) -> Any:
    """The lower triangle with half of the diagonal."""
    n = x.shape[-1]
    weights = np.tril(np.ones((n, n), x.dtype)) - 0.5 * np.eye(n, dtype=x.dtype)
    return x * broadcast_to(constant(weights), shape=x.shape)


def _cholesky_rule(g: Any, y: Any, a: Any) -> Any:
    """Of the symmetric part, which is all that is read: (..., n, n)"""
    inner = half_triangle(matmul(adjoint_matrix(y), g))
    left = solve(adjoint_matrix(y), inner)
    return symmetric_part(adjoint_matrix(solve(adjoint_matrix(y), adjoint_matrix(left))))


def positive(n: int, batch: tuple[int, ...] = (), seed: int = 0) -> NumpyArray:
    """Positive definite matrices."""
    root = well_spread(n, batch, seed)
    return root @ np.swapaxes(root, -1, -2)


def _positive_samples() -> Iterator[Sample]:
    for n, batch in ((3, ()), (1, ()), (2, (2,)), (0, ())):
        yield Sample((positive(n, batch),))
    yield Sample((positive(3).astype(float32),))
    yield Sample((with_gaps(positive(3)),))
    yield Sample((with_nan(np.array([[2.0, 0.5], [0.5, 2.0]])),), smooth=False)


cholesky: Primitive = register(
    Primitive("cholesky", _square_type("cholesky"), _cholesky, (_cholesky_rule,), "cholesky({0})", _positive_samples)
)

# -- determinants


def wide(x: Any, like: Any) -> Any:
    """One number for each matrix, (...), as matrices (..., n, n) that are full of it."""
    return broadcast_to(reshape(x, shape=(*x.shape, 1, 1)), shape=like.shape)


def square_samples() -> Iterator[Sample]:
    """Square matrices that are not singular."""
    for n, batch in ((3, ()), (1, ()), (2, (2,)), (0, ())):
        yield Sample((well_spread(n, batch),))
    yield Sample((well_spread(3).astype(float32),))
    yield Sample((with_gaps(well_spread(3)),))
    yield Sample((with_nan(well_spread(2)),), smooth=False)


def _slogdet_type(a: ArrayType) -> tuple[ArrayType, ArrayType]:
    require_matrix("slogdet", a, square=True)
    return a.with_shape(a.shape[:-2]), real_type(a, a.shape[:-2])


def _slogdet(a: NumpyArray) -> tuple[Any, Any]:
    sign, size = on_finite("slogdet", lambda a: tuple(np.linalg.slogdet(a)), a)
    return sign, size


def _slogdet_rule(
    wanted: tuple[bool, ...], cotangents: tuple[Any, ...], outputs: tuple[Any, ...], inputs: tuple[Any, ...]
) -> list[Any]:
    """The sign of real matrices is constant; that of complex ones turns with the trace of A⁻¹ dA."""
    (a,), (sign, _), (by_sign, by_size) = inputs, outputs, cotangents
    slope = None if by_size is None else as_complex(by_size, a)
    if by_sign is not None and a.type.is_complex:
        turning = imag(sign * adjoint(by_sign))
        turned = join(zeros_like(turning), -turning)
        slope = turned if slope is None else slope + turned
    if slope is None:
        return [None]
    return [wide(slope, a) * solve(adjoint_matrix(a), identity_like(a))]


slogdet: Primitive = register(
    Primitive("slogdet", _slogdet_type, _slogdet, JointRule(_slogdet_rule), "slogdet {0}", square_samples)
)

batched_by_leading_axes(solve, cholesky, slogdet)
