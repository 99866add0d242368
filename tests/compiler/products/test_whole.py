"""Products whose result fits one vector, against NumPy in float64, as operands lie in memory; what they share with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler.compile import compile_graph, run_once
from chainrule.compiler.planning.program import Call
from chainrule.trace import trace

random = np.random.default_rng(5)

LAYOUTS: dict[str, Callable[[Any, Any], Any]] = {
    "as they lie": lambda a, b: a @ b,
    "first turned": lambda a, b: cr.permute_dims(a, (1, 0)) @ b,
    "second turned": lambda a, b: a @ cr.permute_dims(b, (1, 0)),
    "every other row": lambda a, b: a[::2] @ b,
}
SHAPES = {
    "as they lie": [((4, 2), (2, 2)), ((1, 7), (7, 3)), ((8, 3), (3, 1)), ((3, 5), (5, 4))],
    "first turned": [((4, 2), (4, 2)), ((8, 5), (8, 2))],
    "second turned": [((4, 2), (2, 2)), ((3, 4), (5, 4))],
    "every other row": [((6, 3), (3, 2))],
}
CASES = [(layout, *shapes) for layout, several in SHAPES.items() for shapes in several]


@pytest.mark.parametrize(("layout", "first", "second"), CASES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_in_one_vector_are_the_sums(layout: str, first: Any, second: Any, dtype: Any) -> None:
    a, b = random.standard_normal(first).astype(dtype), random.standard_normal(second).astype(dtype)
    program = compile_graph(trace(LAYOUTS[layout])(a, b))
    found = run_once(program, [a, b], 1)[0]
    turned = {"first turned": (a.T, b), "second turned": (a, b.T), "every other row": (a[::2], b)}.get(layout, (a, b))
    exact = turned[0].astype(np.float64) @ turned[1].astype(np.float64)
    np.testing.assert_allclose(found, exact, rtol=20 * np.finfo(dtype).eps, atol=10 * np.finfo(dtype).eps)
    lanes = 64 // np.dtype(dtype).itemsize
    labels = [each.label for each in program.program.instructions if isinstance(each, Call)]
    if program.program.module.has_scaling and exact.size <= lanes and max(a.size, b.size) <= 2 * lanes:
        assert any("in one vector" in label for label in labels), labels


def test_what_is_not_finite_stays_in_its_row_and_column() -> None:
    a, b = np.ones((4, 2), np.float32), np.ones((2, 3), np.float32)
    a[1, 0], b[1, 2] = np.inf, np.nan
    found = run_once(compile_graph(trace(lambda a, b: a @ b)(a, b)), [a, b], 1)[0]
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(found, a @ b)


def test_the_derivative_of_a_square_is_one_multiplication() -> None:
    x = random.standard_normal((5, 3)).astype(np.float32)
    program = compile_graph(trace(cr.grad(lambda x: cr.mean((x - 1) ** 2)))(x))
    (call,) = [each for each in program.program.instructions if isinstance(each, Call)]
    assert call.label.count("add") == 0, call.label
    np.testing.assert_allclose(run_once(program, [x], 1)[0], 2 * (x - 1) / 15, rtol=1e-6)
