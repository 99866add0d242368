"""Tiny programs, written as one function: the same bits as kernel after kernel, and the same as longer programs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.steps import step_of

import chainrule as cr
from chainrule import nn, optim
from chainrule.compiler.machine import cache
from chainrule.compiler.steps import tiny
from chainrule.compiler.steps.tiny_loops import written_out
from chainrule.compiler.text.emit import Function, Module, Reg, word
from chainrule.errors import OutOfRangeError

INPUTS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
TARGETS = np.array([[0], [1], [1], [0]], np.float32)


def exclusive_or(optimizer: Any, **options: Any) -> tuple[Any, Any]:
    """A step that learns XOR, and its network."""
    cr.random.manual_seed(2)
    model = nn.Sequential(nn.Linear(2, 3), nn.Sigmoid(), nn.Linear(3, 1), nn.Tanh())
    step = step_of(model, optimizer(model.parameters(), **options), nn.functional.mse_loss)
    return cr.compile(step), model


def trained(optimizer: Any, options: dict[str, Any], epochs: int) -> list[Any]:
    step, model = exclusive_or(optimizer, **options)
    losses = [step.epoch(INPUTS, TARGETS, batch_size=size, order=[3, 1, 2, 0]).numpy() for size in (4, 3)]
    losses += [np.array(step(INPUTS, TARGETS).numpy()) for _ in range(epochs)]
    return [*losses, *(np.array(each.numpy()) for each in model.parameters())]


@pytest.mark.parametrize(
    ("optimizer", "options"),
    [(optim.SGD, {"lr": 0.5, "momentum": 0.9, "nesterov": True}), (optim.Adam, {"lr": 0.1})],
)
def test_one_function_gives_the_bits_of_many(
    optimizer: Any, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    step, _ = exclusive_or(optimizer, **options)
    assert tiny.is_tiny(step.program(INPUTS, TARGETS).compiled.program.instructions)
    as_one = trained(optimizer, options, 4)
    monkeypatch.setattr(tiny, "MOST_COST", 0)
    for mine, theirs in zip(as_one, trained(optimizer, options, 4), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_loops_and_branches_inside() -> None:
    def halves(x: Any) -> Any:
        total, sums = cr.scan(lambda carry, row: (carry + row, carry * 2.0), cr.zeros(3), x)
        return cr.cond(total.sum() > 0, lambda y: y * 2.0, lambda y: -y, total), sums

    compiled = cr.compile(halves)
    assert tiny.is_tiny(compiled.program(np.ones((5, 3), np.float32)).compiled.program.instructions)
    for number in (1.0, -1.0):
        given = np.full((5, 3), number, np.float32)
        for mine, theirs in zip(compiled(given), halves(cr.tensor(given)), strict=True):
            np.testing.assert_array_equal(mine.numpy(), theirs.numpy())


def test_an_index_outside_is_an_error() -> None:
    pick = cr.compile(lambda x, index: cr.take(x, index, 0).sum())
    given = np.arange(4, dtype=np.float32)
    assert float(pick(given, np.array([1, 3]))) == 4
    with pytest.raises(OutOfRangeError):
        pick(given, np.array([1, 4]))
    assert float(pick(given, np.array([1, 3]))) == 4


def test_short_loops_are_written_out_long_ones_are_not() -> None:
    """LLVM takes half a minute for a sum of a thousand products that is written out."""
    for tasks, rounds, expected in ((2, 8, 2), (100, 8, 1), (2, 1000, 0), (None, 8, 1)):
        module = Module()
        begin, end = Reg("i64", "%begin"), Reg("i64", "%end")
        f = Function(module, "kernel", [begin, end])
        with f.loop(begin, end), f.loop(0, rounds, 1, [word(0)]) as loop:
            loop.carry(f.binary("add", loop.carried[0], loop.index))
        f.finish()
        assert written_out(module.functions[0], module, tasks).count("llvm.loop") == expected


def test_llvm_has_no_complaint_about_loops(capfd: pytest.CaptureFixture[str]) -> None:
    """Loops that could be written out stand before the ends of the loops of a decomposition here."""
    with cache.nothing_kept():
        values = cr.compile(cr.linalg.eigvalsh)(np.diag([3.0, 1.0, 2.0]) + 0.1)
    assert values.shape == (3,)
    assert capfd.readouterr().err == ""
