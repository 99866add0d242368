"""Results of nests in the memory of what they read: where that may be, where it may not, and the numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler.buffers import lives
from chainrule.compiler.compile import compile_graph, run_once
from chainrule.trace import trace

random = np.random.default_rng(6)
X, W = random.standard_normal((40, 30)), random.standard_normal((30, 30))


def in_place(x: Any, w: Any) -> Any:
    return (cr.sin(x @ w) + 1) @ w


def softmax_in_place(x: Any, w: Any) -> Any:
    scores = x @ w
    grown = cr.exp(scores - cr.max(scores, axis=1, keepdims=True))
    return (grown / cr.sum(grown, axis=1, keepdims=True)) @ w


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
    [(in_place, 1), (softmax_in_place, 3), (read_later, 0), (read_both_ways, 0), (read_shifted, 0), (twice, None)],
)
def test_memory_and_numbers(function: Callable[..., Any], count: int | None) -> None:
    compiled = compile_graph(trace(function)(X, W))
    (found,) = run_once(compiled, [X, W], threads=2)
    np.testing.assert_allclose(found, function(cr.tensor(X), cr.tensor(W)).numpy(), rtol=1e-11)
    if count is not None:
        assert shared(compiled) == count
