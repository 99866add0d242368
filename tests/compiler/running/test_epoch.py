"""Whole passes in native code: the same bits as call after call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.compiler.running import epoch as module
from chainrule.errors import ConfigurationError, DataError, OutOfRangeError

ROWS = 23
RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.standard_normal((ROWS, 3)).astype(np.float32)
TARGETS = RANDOM.integers(0, 4, ROWS)


def trained(run: Any) -> tuple[list[Any], list[Any]]:
    """Losses and weights after `run(step)`."""
    cr.random.manual_seed(1)
    model = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Dropout(0.2), nn.Linear(5, 4))
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    captures = []

    @cr.compile
    def step(inputs: Any, targets: Any) -> Any:
        captures.append(inputs.shape[0])
        loss = nn.functional.cross_entropy(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    losses = run(step, captures)
    return losses, [each.numpy() for each in model.parameters()]


@pytest.mark.filterwarnings("ignore:.*is compiled again:chainrule.compiler.running.reasons.RecompileWarning")
@pytest.mark.parametrize("batch_size", [1, 4, 23, 40])
@pytest.mark.parametrize("seconds", [0.05, 1e-9])
def test_an_epoch_is_its_steps(batch_size: int, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS_A_CALL", seconds)  # so short: Python is asked after each step
    order = np.random.default_rng(5).permutation(ROWS)

    def by_epoch(step: Any, _: Any) -> Any:
        return [step.epoch(INPUTS, TARGETS, batch_size=batch_size, order=order).numpy() for _ in range(2)]

    def by_calls(step: Any, _: Any) -> Any:
        starts = range(0, ROWS, batch_size)
        pieces = [order[start : start + batch_size] for start in starts]
        return [np.array([float(step(INPUTS[rows], TARGETS[rows])) for rows in pieces], np.float32) for _ in range(2)]

    (losses, weights), (expected, wanted) = trained(by_epoch), trained(by_calls)
    for mine, theirs in zip([*losses, *weights], [*expected, *wanted], strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_everything_is_compiled_before_the_first_step() -> None:
    def run(step: Any, captures: list[int]) -> list[Any]:
        seen = cr.tensor(0.0)

        @cr.compile
        def counted(inputs: Any, targets: Any) -> Any:
            captures.append(int(inputs.shape[0]))
            seen.assign(seen + 1)
            return seen

        with pytest.raises(DataError, match="another shape"):
            cr.compile(lambda x: x).epoch(INPUTS, batch_size=4)
        counts = counted.epoch(INPUTS, TARGETS, batch_size=4).numpy()
        assert sorted(captures) == [3, 4]
        np.testing.assert_array_equal(counts, np.arange(1, 7))
        return []

    trained(run)


def test_rows_may_repeat_and_be_left_out() -> None:
    order = [3, 3, 0, 22]
    found = cr.compile(lambda x: x.sum()).epoch(INPUTS, batch_size=1, order=order)
    np.testing.assert_allclose(found.numpy(), INPUTS[order].sum(axis=1), rtol=1e-6)


def test_what_cannot_be_an_epoch_is_refused() -> None:
    total = cr.compile(lambda x: x.sum())
    with pytest.raises(OutOfRangeError, match="rows from 0 to 23"):
        total.epoch(INPUTS, batch_size=2, order=[0, 23])
    with pytest.raises(ConfigurationError, match="at least 1"):
        total.epoch(INPUTS, batch_size=0)
    with pytest.raises(DataError, match="no rows"):
        total.epoch(INPUTS, batch_size=2, order=[])
    with pytest.raises(DataError, match="all as long"):
        cr.compile(lambda x, y: x.sum() + y.sum()).epoch(INPUTS, INPUTS[1:], batch_size=2)
