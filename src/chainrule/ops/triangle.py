"""A matrix product of which only a triangle counts: of what is multiplied, or of the result.

Causal attention is made of these: a query has no score for a later key, and a weight only where it has a score. What
does not count need not be multiplied, which is nearly half of the work; and their derivatives are of the same kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import ConfigurationError
from ..ir.primitive import Primitive, Sample, register
from ..ir.types import FLOATS, ArrayType, NumpyArray, float32
from .bfloat16 import rounds_products
from .linear import matmul, matrix_transpose
from .samples import of_dtype, spread
from .type_rules import require_dtype

FEWEST = 32
"""Rows and columns of a triangle from which on leaving out the other one pays."""
OTHER = {"lower": "upper", "upper": "lower"}


def _type(first: ArrayType, second: ArrayType, *, of: str, part: str) -> ArrayType:
    require_dtype("triangle_product", first, FLOATS)
    if of not in ("left", "result") or part not in OTHER:
        raise ConfigurationError(f"triangle_product has no {part!r} part of {of!r}")
    result: ArrayType = matmul.type_rule(first, second)
    return result


def _numpy(first: NumpyArray, second: NumpyArray, *, of: str, part: str) -> Any:
    kept = np.tril if part == "lower" else np.triu
    return np.matmul(kept(first), second) if of == "left" else kept(np.matmul(first, second))


def _of_first(g: Any, y: Any, a: Any, b: Any, *, of: str, part: str) -> Any:
    return triangle_product(g, matrix_transpose(b), of="result" if of == "left" else "left", part=part)


def _of_second(g: Any, y: Any, a: Any, b: Any, *, of: str, part: str) -> Any:
    if of == "left":
        return triangle_product(matrix_transpose(a), g, of="left", part=OTHER[part])
    return matrix_transpose(triangle_product(matrix_transpose(g), a, of="left", part=OTHER[part]))


def _samples() -> Iterator[Sample]:
    ways = [{"of": of, "part": part} for of in ("left", "result") for part in OTHER]
    for way in ways:
        for first, second in (((3, 3), (3, 4)), ((2, 4, 3), (2, 3, 5)), ((1, 1), (1, 1)), ((2, 0), (0, 3))):
            yield Sample((spread(first, -1, 1), spread(second, -1, 1, 1)), way)
    yield Sample((spread((3, 5), -1, 1).T, spread((6, 4), -1, 1)[::2]), ways[0])
    yield Sample((spread((40, 70), -1, 1)[:, ::2], spread((35, 38), -1, 1)), ways[1])
    for dtype in FLOATS:
        yield Sample((of_dtype(dtype, (5, 3), -2, 2), of_dtype(dtype, (3, 4), -2, 2, 1)), ways[2])
    unseen = np.array([[1.0, np.inf], [2.0, 1e30]]), np.array([[1.0, 2.0], [0.0, 1e-300]])
    yield Sample(unseen, ways[0], smooth=False)
    yield Sample((np.array([[1.0, np.nan]]), np.ones((2, 1))), ways[2], smooth=False)


triangle_product: Primitive = register(
    Primitive(
        "triangle_product",
        _type,
        _numpy,
        (_of_first, _of_second),
        "{0} @ {1}, the {part} triangle of the {of} alone",
        _samples,
    )
)
"""Σ over k of a[m, k] b[k, n], of `left`: where k <= m (lower) or k >= m (upper); of `result`: where n <= m or n >= m.

What a row of `left` leaves out is taken for zero, and the rest of a `result` is zero. Whether a NaN or an infinity of
the second matrix is seen where the first is left out is not said.
"""


def lower_product(first: Any, second: Any, of: str) -> Any:
    """first @ second, where only the lower triangle of `of` ("left" or "result") counts.

    The whole product where a part of it is no easier: the caller has zeros in `first` above the diagonal, or does not
    read the result there.
    """
    return triangle_product(first, second, of=of, part="lower") if _pays(first, second, of) else first @ second


def _pays(first: Any, second: Any, of: str) -> bool:
    if min(first.ndim, second.ndim) < 2 or first.shape[:-2] != second.shape[:-2] or first.dtype != second.dtype:
        return False
    columns = first.shape[-1] if of == "left" else second.shape[-1]
    if first.dtype not in FLOATS or min(first.shape[-2], columns) < FEWEST or first.shape[-1] != second.shape[-2]:
        return False
    return first.dtype != float32 or not rounds_products()  # pairs of bfloat16 are multiplied in whole
