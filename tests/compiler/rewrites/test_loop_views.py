"""Parts of one array that a loop stacks: one stack and views of it, with the values of a loop in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

import chainrule as cr
from chainrule.compiler.compile import compile_graph, run_once
from chainrule.compiler.stages import prepared
from chainrule.trace import trace

random = np.random.default_rng(7)
STEPS, ROWS, WIDTH = 5, 3, 4


def gates(x: Any, start: Any) -> Any:
    def cell(carry: Any, row: Any) -> Any:
        both = cr.tanh(cr.concat([carry, row], axis=1))  # (rows, 2 · width)
        left, right = both[:, :WIDTH], both[:, WIDTH:]
        return left * right + carry, (left, right, left + right)

    return cr.scan(cell, start, x)


def by_numpy(x: Any, carry: Any) -> list[Any]:
    stacks: list[list[Any]] = [[], [], []]
    for row in x:
        left, right = np.tanh(carry), np.tanh(row)
        carry = left * right + carry
        for stack, part in zip(stacks, (left, right, left + right), strict=True):
            stack.append(part)
    return [carry, *map(np.stack, stacks)]


def arrays() -> tuple[Any, Any]:
    return random.standard_normal((STEPS, ROWS, WIDTH)), random.standard_normal((ROWS, WIDTH))


def test_the_parts_are_views_of_one_stack() -> None:
    x, start = arrays()
    graph = prepared(trace(gates)(x, start))
    (loop,) = [equation for equation in graph.equations if equation.primitive.name == "scan"]
    shapes = [value.shape for value in loop.outputs]
    assert shapes == [(ROWS, WIDTH), (STEPS, ROWS, WIDTH), (STEPS, ROWS, 2 * WIDTH)]


def test_the_values_are_those_of_a_loop() -> None:
    x, start = arrays()
    found = run_once(compile_graph(trace(gates)(x, start)), [x, start])
    for one, other in zip(found, by_numpy(x, start), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-15)


def test_gradients_through_the_loop_read_the_views() -> None:
    def loss(x: Any, start: Any) -> Any:
        carry, (left, right, both) = gates(x, start)
        return cr.sum(carry * carry) + cr.sum(left * right * both)

    x, start = arrays()
    gradient = cr.grad(loss, argnums=(0, 1))
    found = run_once(compile_graph(trace(gradient)(x, start)), [x, start])
    shift = 1e-6
    for place, given in enumerate((x, start)):
        moved = [np.array(x), np.array(start)]
        direction = random.standard_normal(given.shape)
        ends = []
        for sign in (1, -1):
            moved[place] = given + sign * shift * direction
            carry, left, right, both = by_numpy(*moved)
            ends.append((carry * carry).sum() + (left * right * both).sum())
        np.testing.assert_allclose((found[place] * direction).sum(), (ends[0] - ends[1]) / (2 * shift), rtol=1e-6)


def test_a_part_that_is_carried_stays() -> None:
    def cell(carry: Any, row: Any) -> Any:
        both = cr.concat([carry + row, row], axis=1)
        return both[:, :WIDTH], (both[:, :WIDTH], both[:, WIDTH:])

    x, start = arrays()
    result = run_once(compile_graph(trace(lambda x, s: cr.scan(cell, s, x))(x, start)), [x, start])
    np.testing.assert_allclose(result[0], start + x.sum(axis=0), rtol=1e-12)
    np.testing.assert_allclose(result[1], start + np.cumsum(x, axis=0), rtol=1e-12)
    np.testing.assert_array_equal(result[2], x)
