"""Networks and losses that change what they read: `fit` trains them eagerly, with the very same result."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.errors import TraceError
from chainrule.train import fit
from chainrule.train.compiled import CompileWarning
from chainrule.train.step import TrainingStep, as_loss

INPUTS = np.random.default_rng(0).standard_normal((10, 2)).astype(np.float32)
TARGETS = INPUTS[:, :1].copy()


class Counting(nn.Module):
    """The output grows with the number of batches seen."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.steps = nn.Linear(2, 1), 0

    def forward(self, x: Any) -> Any:
        self.steps += 1
        return self.layer(x) * (1.0 + 0.1 * self.steps)


class Noisy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.steps, self.generator = nn.Linear(2, 1), 0, np.random.default_rng(3)

    def forward(self, x: Any) -> Any:
        return self.layer(x) * (1.0 + 0.1 * random.random() + 0.1 * float(self.generator.random()))


class Reading(nn.Module):
    """Reads on in an iterator."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.steps, self.factors = nn.Linear(2, 1), 0, iter(np.linspace(0.9, 1.1, 50).tolist())

    def forward(self, x: Any) -> Any:
        return self.layer(x) * next(self.factors)


def counting_loss() -> Callable[..., Any]:
    state = {"steps": 0}

    def loss(outputs: Any, targets: Any) -> Any:
        state["steps"] += 1
        return ((outputs - targets) ** 2).mean() / state["steps"]

    return loss


def pairs(**options: Any) -> dict[str, Any]:
    return {"data": (INPUTS, TARGETS), "batch_size": 4, **options}


def loader(**options: Any) -> dict[str, Any]:
    return {"data": cr.data.loader((INPUTS, TARGETS), batch_size=4), **options}


RUNS: dict[str, tuple[type[nn.Module], Callable[..., dict[str, Any]], dict[str, Any], str]] = {
    "a counter": (Counting, pairs, {"metrics": ("mae",)}, "the attribute 'steps' of Counting"),
    "batches gathered": (Counting, pairs, {"batch_size": 2, "accumulate": 2}, "'steps' of Counting"),
    "validation": (Counting, pairs, {"validation": 0.2}, "'steps' of Counting"),
    "checked": (Counting, pairs, {"check_finite": True}, "'steps' of Counting"),
    "a loader": (Counting, loader, {}, "'steps' of Counting"),
    "random numbers": (Noisy, pairs, {}, "Python's random numbers"),
    "a loader, random numbers": (Noisy, loader, {}, "Python's random numbers"),
    "an iterator": (Reading, pairs, {}, "list_iterator"),
    "a loss": (nn.Linear, pairs, {}, "the item 'steps'"),
}


def trained(name: str, compile: bool | None) -> tuple[Any, ...]:
    kind, data, options, _ = RUNS[name]
    cr.random.manual_seed(0)
    random.seed(1)
    model = nn.Linear(2, 1) if kind is nn.Linear else kind()
    loss: Any = counting_loss() if kind is nn.Linear else "mse"
    optimizer = optim.SGD(model.parameters(), lr=0.05)
    history = fit(model, optimizer, loss=loss, epochs=2, seed=0, progress=False, compile=compile, **data(**options))
    rows = [{key: figure for key, figure in row.items() if key != "seconds"} for row in history.rows]
    return rows, getattr(model, "steps", 0), [each.tolist() for each in model.parameters()], random.getstate()


@pytest.mark.parametrize("name", RUNS)
def test_it_is_trained_as_without_compiling(name: str) -> None:
    with pytest.warns(CompileWarning, match=RUNS[name][3]):
        found = trained(name, None)
    assert found == trained(name, False)


@pytest.mark.parametrize("name", ["a counter", "a loader", "an iterator"])
def test_who_asks_for_native_code_gets_the_error(name: str) -> None:
    with pytest.raises(TraceError, match=RUNS[name][3]):
        trained(name, True)


class CountingLater(Counting):
    counts = False

    def forward(self, x: Any) -> Any:
        if self.counts:
            self.steps += 1
        return self.layer(x) * (1.0 + 0.1 * self.steps)


def test_a_network_that_begins_to_count_in_mid_training() -> None:
    def run(compile: bool | None) -> tuple[list[float], int]:
        cr.random.manual_seed(0)
        model = CountingLater()

        def begin(state: Any) -> None:
            model.counts = True

        options = pairs(epochs=3, callbacks=[begin], progress=False, compile=compile)
        history = fit(model, optim.SGD(model.parameters(), lr=0.05), loss="mse", seed=0, **options)
        return [row["loss"] for row in history.rows], model.steps

    with pytest.warns(CompileWarning, match="'steps' of CountingLater"):
        losses, steps = run(None)
    expected, counted = run(False)
    assert steps == counted == 6
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    with pytest.raises(TraceError, match="'steps' of CountingLater"):
        run(True)


def test_a_count_in_a_tensor_is_compiled() -> None:
    class InATensor(Counting):
        def __init__(self) -> None:
            super().__init__()
            self.steps: Any = cr.tensor(0)  # type: ignore[assignment]

    def run(compile: bool) -> tuple[list[float], int]:
        cr.random.manual_seed(0)
        model = InATensor()
        history = fit(
            model,
            optim.SGD(model.parameters(), lr=0.05),
            loss="mse",
            epochs=2,
            progress=False,
            compile=compile,
            **pairs(),
        )
        return [row["loss"] for row in history.rows], model.steps.item()

    losses, steps = run(True)
    expected, counted = run(False)
    assert steps == counted == 7
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


def test_parts_of_a_batch_in_a_function_of_ones_own() -> None:
    """A batch that goes through in parts is one loop, but for a network that counts them."""

    def run(compile: bool) -> tuple[Any, int]:
        cr.random.manual_seed(0)
        model = Counting()
        step: Any = TrainingStep(model, as_loss("mse"), optim.SGD(model.parameters(), lr=0.05), rows=3)
        call = cr.compile(step) if compile else step
        return model.layer.weight.tolist() if call(INPUTS, TARGETS) else [], model.steps

    (weights, steps), (expected, counted) = run(True), run(False)
    assert steps == counted == 4
    np.testing.assert_allclose(weights, expected, rtol=1e-5)
