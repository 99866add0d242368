"""The step as a table of calls does what the step as code does, to the bit, on any number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.capture import capture
from chainrule.compiler import stages
from chainrule.compiler.compile import compile_graph, run_once
from chainrule.compiler.job import Job
from chainrule.compiler.steps import tiny
from chainrule.ir.types import ArrayType


def straight(x: Any, w: Any) -> Any:
    hidden = cr.tanh(x @ w)
    return (hidden @ w.T).sum(0), cr.exp(hidden).max(1), hidden.mean()


def loops_and_branches(x: Any, w: Any) -> Any:
    def body(carry: Any, row: Any) -> Any:
        carry = cr.tanh(carry + row @ w)
        return carry, cr.cond(carry.sum() > 0, lambda: carry * 2, lambda: carry - 1)

    last, every = cr.scan(body, x[0] * 0.5, x)
    count, total = cr.while_loop(lambda c: c[0] < 5, lambda c: (c[0] + 1, c[1] + x.sum(0)), (x[0, 0] * 0, last))
    return last @ w, every.sum(0) + total, count, x.T @ x


@pytest.mark.parametrize("function", [straight, loops_and_branches])
def test_both_steps_give_the_same_bits(function: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = np.dtype(np.float32)
    graph = capture(function, [ArrayType((96, 64), kind), ArrayType((64, 64), kind)]).graph
    random = np.random.default_rng(0)
    given = [random.standard_normal((96, 64), np.float32), random.standard_normal((64, 64), np.float32) / 8]
    monkeypatch.setattr(tiny, "MOST_COST", 0)
    outputs = []
    for cost in (0, 1e18):
        monkeypatch.setattr(stages, "PARALLEL_COST", cost)
        monkeypatch.setattr(Job, "key", lambda _: None)
        compiled = compile_graph(graph)
        assert ("@calls" in compiled.lowered.text) == (cost == 0)
        outputs += [run_once(compiled, given, threads) for threads in (1, 2, 3)]
    for other in outputs[1:]:
        for one, two in zip(outputs[0], other):
            np.testing.assert_array_equal(one, two)
    eager = next(iter(function(*map(cr.tensor, given))))
    np.testing.assert_allclose(outputs[0][0], eager.numpy(), rtol=1e-3, atol=1e-4)
