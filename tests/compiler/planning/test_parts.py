"""Parts of concatenations computed in place, products as a reshape sees them: values by NumPy, and no copies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler.compile import compile_graph, run_once
from chainrule.compiler.running.profile import all_calls
from chainrule.trace import trace

random = np.random.default_rng(5)
A, B = random.standard_normal((6, 5)), random.standard_normal((6, 5))
Q, K = random.standard_normal((2, 3, 4, 5)), random.standard_normal((2, 3, 4, 5))


def moves(compiled: Any) -> list[str]:
    """The kernels that only move elements."""
    return [call.label for call in all_calls(compiled.program.instructions) if call.label in ("copy", "concat")]


def side_by_side(x: Any, y: Any) -> Any:
    return cr.concat([cr.sin(x), x @ y.T, cr.cos(y)], axis=1) * 2


def stacked(x: Any, y: Any) -> Any:
    return cr.sum(cr.stack([cr.sin(x), x * y, cr.cos(y)]), axis=1) + 1


def one_in_another(x: Any, y: Any) -> Any:
    inner = cr.concat([cr.sin(x), cr.cos(y)], axis=0)
    return cr.concat([inner, cr.exp(inner)], axis=1) + 1


def twice_and_known(x: Any, y: Any) -> Any:
    sine = cr.sin(x)
    return cr.concat([sine, sine, cr.ones((6, 2)), y, cr.cos(sine)], axis=1) * 3


def as_heads(q: Any, k: Any) -> Any:
    scores = q @ cr.permute_dims(k, (0, 1, 3, 2))  # (batch, heads, time, time)
    seen = cr.permute_dims(scores @ k, (0, 2, 1, 3))
    return seen.reshape((8, 15)) @ cr.ones((15, 2))


def heads_together(q: Any, k: Any) -> Any:
    scores = k @ cr.permute_dims(q, (0, 1, 3, 2))
    parts = cr.stack([scores @ q, cr.permute_dims(cr.permute_dims(k, (0, 1, 3, 2)) @ scores, (0, 1, 3, 2))])
    return cr.permute_dims(parts, (1, 3, 0, 2, 4)).reshape((8, 30)) @ cr.ones((30, 2))


def by_numpy(function: Callable[..., Any], *arrays: Any) -> Any:
    return function(*map(cr.tensor, arrays)).numpy()


@pytest.mark.parametrize(
    ("function", "arrays", "moved"),
    [
        (side_by_side, (A, B), 0),
        (stacked, (A, B), 0),
        (one_in_another, (A, B), 0),
        (twice_and_known, (A, B), 3),
        (as_heads, (Q, K), 0),
        (heads_together, (Q, K), 0),
    ],
)
def test_values_and_moves(function: Callable[..., Any], arrays: tuple[Any, ...], moved: int) -> None:
    compiled = compile_graph(trace(function)(*arrays))
    (found,) = run_once(compiled, arrays)
    np.testing.assert_allclose(found, by_numpy(function, *arrays), rtol=1e-12, atol=1e-13)
    assert len(moves(compiled)) == moved


def test_what_takes_over_memory_is_not_begun_early() -> None:
    """The input is read between the two halves of what overwrites it."""

    def program(x: Any) -> Any:
        first = cr.sin(x[:3]) * 2
        return cr.concat([first, cr.cos(x[3:]) + cr.sum(first @ x.T)], axis=0)

    compiled = compile_graph(trace(program)(A), in_place={0: 0})
    np.testing.assert_allclose(run_once(compiled, [A])[0], by_numpy(program, A), rtol=1e-12)
