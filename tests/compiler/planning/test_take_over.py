"""Results of nests in the memory of what they read: where that may be, where it may not, and the numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler.compile import compile_graph, run_once
from chainrule.compiler.planning.buffers import lives
from chainrule.trace import trace

random = np.random.default_rng(6)
X, W = random.standard_normal((40, 30)), random.standard_normal((30, 30))


def in_place(x: Any, w: Any) -> Any:
    return (cr.sin(x @ w) + 1) @ w


def softmax_in_place(x: Any, w: Any) -> Any:
    scores = x @ w
    grown = cr.exp(scores - cr.max(scores, axis=1, keepdims=True))
    return (grown / cr.sum(grown, axis=1, keepdims=True)) @ w


def read_after_a_result(x: Any, w: Any) -> Any:
    """Two results of one pass: the second reads what lies where the first is written."""
    product = x @ w
    grown = cr.exp(product / 10)
    total = cr.sum(grown, axis=1, keepdims=True)
    first = product * total
    second = grown * total - first
    return first @ w + (second @ w) * 2.0


def read_later(x: Any, w: Any) -> Any:
    product = x @ w
    return (cr.sin(product) @ w) @ cr.permute_dims(product, (1, 0))


def read_both_ways(x: Any, w: Any) -> Any:
    product = w @ w
    return (product + cr.permute_dims(product, (1, 0))) @ w + cr.sum(x)


def read_shifted(x: Any, w: Any) -> Any:
    product = x @ w
    return cr.sin(product - product[::-1]) @ w


def twice(x: Any, w: Any) -> Any:
    product = x @ w
    return cr.sin(product) @ (cr.cos(product).T @ product)


def shared(compiled: Any) -> int:
    """How many pairs of large arrays share memory, the second first written by the kernel that last reads the first."""
    program = compiled.program
    known = lives(program.instructions)
    large = [buffer for buffer in known if buffer.nbytes >= 30 * 30 * 8]
    return sum(
        one.offset == other.offset and known[one].first == known[other].last
        for one in large
        for other in large
        if one is not other
    )


@pytest.mark.parametrize(
    ("function", "count"),
    [
        (in_place, 1),
        (softmax_in_place, 3),
        (read_after_a_result, None),
        (read_later, 0),
        (read_both_ways, 0),
        (read_shifted, 0),
        (twice, None),
    ],
)
def test_memory_and_numbers(function: Callable[..., Any], count: int | None) -> None:
    compiled = compile_graph(trace(function)(X, W))
    (found,) = run_once(compiled, [X, W], threads=2)
    np.testing.assert_allclose(found, function(cr.tensor(X), cr.tensor(W)).numpy(), rtol=1e-11)
    if count is not None:
        assert shared(compiled) == count


# -- in loops

STEPS, ROWS, WIDTH = 6, 5, 8
TALL, SQUARE = random.standard_normal((STEPS * ROWS, WIDTH)), random.standard_normal((WIDTH, WIDTH))


def running(inputs: Any) -> Any:
    """(steps, rows, width): a running average, and the sine of each slice behind it."""

    def cell(carry: Any, row: Any) -> Any:
        following = cr.sin(row) * 0.5 + carry * 0.25
        return following, following * 2 - row

    return cr.scan(cell, cr.zeros(inputs.shape[1:], dtype=cr.float64), inputs)[1]


def stack_over_stack(x: Any, w: Any) -> Any:
    return running((x @ w).reshape((STEPS, ROWS, WIDTH))).reshape((-1, WIDTH)) @ w


def stack_read_later(x: Any, w: Any) -> Any:
    product = x @ w
    return running(product.reshape((STEPS, ROWS, WIDTH))).reshape((-1, WIDTH)) @ w + product


def stack_gone_through_again(x: Any, w: Any) -> Any:
    """The inner loop reads all of its stack in every round of the outer one."""
    product = (x @ w).reshape((STEPS, ROWS, WIDTH))

    def outer(carry: Any, number: Any) -> Any:
        stack = running(product) * number
        return carry + cr.sum(stack, axis=0), stack

    total, stacks = cr.scan(outer, cr.zeros((ROWS, WIDTH), dtype=cr.float64), np.arange(1.0, 4.0))
    return total @ w + cr.sum(stacks, axis=(0, 1)) @ w


def constant_in_all_rounds(x: Any, w: Any) -> Any:
    """A product that is the same in all rounds, read by the nest that writes a result of each."""
    product = w @ (w * 0.01)  # so small that the loop forgets what is rounded

    def cell(carry: Any, row: Any) -> Any:
        return cr.sin(carry + product) @ product, cr.sum(row)

    return cr.scan(cell, cr.zeros((WIDTH, WIDTH), dtype=cr.float64), x)[0] @ w


@pytest.mark.parametrize(
    ("function", "count"),
    [(stack_over_stack, 1), (stack_read_later, 0), (stack_gone_through_again, None), (constant_in_all_rounds, None)],
)
def test_stacks_of_loops(function: Callable[..., Any], count: int | None) -> None:
    compiled = compile_graph(trace(function)(TALL, SQUARE))
    (found,) = run_once(compiled, [TALL, SQUARE], threads=2)
    np.testing.assert_allclose(found, function(cr.tensor(TALL), cr.tensor(SQUARE)).numpy(), rtol=1e-10)
    if count is not None:
        known = lives(compiled.program.instructions)
        stacks = [buffer for buffer in known if buffer.nbytes == TALL.nbytes]
        pairs = [(one, other) for one in stacks for other in stacks if one.number < other.number]
        assert (
            sum(one.offset == other.offset and known[one].last == known[other].first for one, other in pairs) == count
        )


def test_what_a_product_of_the_same_kernel_reads_is_not_taken_over() -> None:
    """Other tasks of the product read the slice that the nest behind it would write over."""
    rows, width = 256, 512
    x, w = random.standard_normal((3 * rows, width)), random.standard_normal((width, width)) / width

    def program(x: Any, w: Any) -> Any:
        slices = (x @ w).reshape((3, rows, width))
        stack = cr.scan(lambda carry, row: (carry, cr.sin(row @ w) + row), cr.zeros(()), slices)[1]
        return cr.sum(stack * stack, axis=0)

    (found,) = run_once(compile_graph(trace(program)(x, w)), [x, w], threads=2)
    slices = (x @ w).reshape(3, rows, width)
    np.testing.assert_allclose(found, ((np.sin(slices @ w) + slices) ** 2).sum(axis=0), rtol=1e-9)
