"""The matrix product."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ir.primitive import Primitive, Sample, register
from ..ir.types import COMPLEX, FLOATS, INTEGERS, NUMBERS, ArrayType
from .elementwise import adjoint
from .samples import of_dtype, spread
from .structure import permute_dims
from .type_rules import require_dtype, require_same


def _matmul_type(first: ArrayType, second: ArrayType) -> ArrayType:
    require_dtype("matmul", first, (*NUMBERS, *COMPLEX))
    require_same("matmul", first.with_shape(()), second.with_shape(()))
    if first.ndim < 2 or first.ndim != second.ndim or first.shape[:-2] != second.shape[:-2]:
        raise ShapeError(
            f"matmul needs (..., m, k) @ (..., k, n) with equal leading sizes, but was given {first} @ {second}"
        )
    if first.shape[-1] != second.shape[-2]:
        raise ShapeError(
            f"matmul: {first} has {first.shape[-1]} columns but {second} has {second.shape[-2]} rows; "
            "they must be equal"
        )
    return first.with_shape((*first.shape[:-1], second.shape[-1]))


def matrix_transpose(x: Any) -> Any:
    """Swap the last two axes."""
    axes = (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2)
    return permute_dims(x, axes=axes)


def _samples() -> Iterator[Sample]:
    for first, second in (
        ((2, 3), (3, 4)),
        ((1, 1), (1, 1)),
        ((2, 2, 3), (2, 3, 1)),
        ((2, 0), (0, 3)),
        ((0, 2), (2, 3)),
    ):
        yield Sample((spread(first, -1, 1), spread(second, -1, 1, 1)))
    yield Sample((spread((3, 2), -1, 1).T, spread((6, 4), -1, 1)[::2]))
    for dtype in (*FLOATS, *INTEGERS):
        yield Sample((of_dtype(dtype, (2, 3), -2, 2), of_dtype(dtype, (3, 2), -2, 2, 1)))
    yield Sample((np.array([[1.0, np.inf], [np.nan, 1e30]]), np.array([[1.0, 2.0], [0.0, 1e-300]])), smooth=False)


matmul: Primitive = register(
    Primitive(
        "matmul",
        _matmul_type,
        np.matmul,
        (
            lambda g, y, a, b: matmul(g, matrix_transpose(adjoint(b))),
            lambda g, y, a, b: matmul(matrix_transpose(adjoint(a)), g),
        ),
        "({0} @ {1})",
        _samples,
    )
)
