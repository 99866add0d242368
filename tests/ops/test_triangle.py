"""Products of which a triangle counts: when they are taken, and that what does not count is not seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.ops import triangle
from chainrule.tensor import lifted
from chainrule.trace import trace

lower_product = lifted(triangle.lower_product)


def names(first: tuple[int, ...], second: tuple[int, ...], of: str, dtype: str = "float32") -> list[str]:
    graph = trace(lambda a, b: lower_product(a, b, of))(np.ones(first, dtype), np.ones(second, dtype))
    return [equation.primitive.name for equation in graph.equations]


@pytest.mark.parametrize(
    ("first", "second", "of", "expected"),
    [
        ((2, 32, 8), (2, 8, 32), "result", "triangle_product"),
        ((32, 32), (32, 5), "left", "triangle_product"),
        ((31, 40), (40, 5), "left", "matmul"),
        ((40, 8), (8, 31), "result", "matmul"),
        ((2, 32, 8), (1, 8, 32), "result", "matmul"),  # heads that share their keys
    ],
)
def test_taken_where_half_of_it_is_worth_leaving_out(
    first: tuple[int, ...], second: tuple[int, ...], of: str, expected: str
) -> None:
    assert expected in names(first, second, of)


def test_taken_in_whole_in_bfloat16() -> None:
    with cr.autocast("bfloat16"):
        assert "triangle_product" not in names((40, 40), (40, 5), "left")
        assert "triangle_product" in names((40, 40), (40, 5), "left", "float64")


def test_what_does_not_count_is_not_seen() -> None:
    a, b = np.full((2, 2), np.nan), np.array([[2.0, 3.0], [5.0, 7.0]])
    a[np.tril_indices(2)] = 1.0

    def left(a: Any, b: Any) -> Any:
        return triangle.triangle_product(a, b, of="left", part="lower")

    np.testing.assert_array_equal(lifted(left)(cr.tensor(a), cr.tensor(b)).numpy(), [[2, 3], [7, 10]])


def test_no_other_triangle() -> None:
    a = cr.ones((2, 2))
    with pytest.raises(cr.errors.ConfigurationError, match="no 'middle' part"):
        lifted(lambda a: triangle.triangle_product(a, a, of="left", part="middle"))(a)
