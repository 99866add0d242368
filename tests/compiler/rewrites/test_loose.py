"""Sums are looked through for parts that lie side by side, without following all ways that lead through them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr


def fibonacci(x: Any, y: Any) -> Any:
    for _ in range(80):
        x, y = x + y, x
    return x


@pytest.mark.parametrize("is_padded", [False, True])
def test_sums_of_sums(is_padded: bool) -> None:
    def computed(x: Any, y: Any) -> Any:
        return fibonacci(cr.pad(x, [(0, 3)]), cr.pad(y, [(3, 0)])) if is_padded else fibonacci(x, y)

    x, y = np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0])
    ones = [fibonacci(1, 0), fibonacci(0, 1)]  # numbers of Python
    expected = np.concatenate([ones[0] * x, ones[1] * y]) if is_padded else ones[0] * x + ones[1] * y
    np.testing.assert_allclose(cr.compile(computed)(x, y).numpy(), expected, rtol=1e-12)


def test_parts_side_by_side_are_joined() -> None:
    def computed(x: Any, y: Any) -> Any:
        return cr.pad(x, [(0, 3)]) + cr.pad(y, [(3, 0)])

    step = cr.compile(computed)
    x, y = np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0])
    assert step(x, y).numpy().tolist() == [1, 2, 3, 4, 5, 6]
    assert "concat" in step.program(x, y).show("graph")
