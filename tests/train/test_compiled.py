"""Compiled training against eager training: the same examples, the same random numbers, figures equal to rounding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.errors import NonFiniteError, TraceError
from chainrule.ir.types import NumpyArray
from chainrule.train import METRICS, Metric, fit
from chainrule.train.compiled import CompileWarning
from chainrule.train.metrics import Totals

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.standard_normal((37, 4)).astype(np.float32)
LABELS = RANDOM.integers(0, 3, 37)

RUNS: dict[str, dict[str, Any]] = {
    "mini-batches, the last one short": {"batch_size": 8, "metrics": ("accuracy",)},
    "stochastic": {"mode": "stochastic", "metrics": ("accuracy", "top_5_accuracy")},
    "batch": {"mode": "batch", "epochs": 5},
    "online": {"mode": "online", "epochs": None, "batch_size": 5},
    "a schedule for each step": {"batch_size": 8, "schedule": "one-cycle"},
    "a schedule for each epoch": {"batch_size": 8, "schedule": "cosine", "schedule_each": "epoch"},
    "batches gathered": {"batch_size": 3, "accumulate": 4, "metrics": ("accuracy",)},
    "weighted": {"batch_size": 8, "class_weight": "balanced", "sample_weight": np.linspace(0, 2, 37)},
    "clipped, with validation": {"batch_size": 8, "clip_norm": 0.1, "validation": 0.2},
    "a metric of one's own": {"batch_size": 8, "metrics": (lambda outputs, targets: float(np.abs(outputs).max()),)},
}


def trained(compiled: bool, options: dict[str, Any]) -> tuple[list[dict[str, Any]], list[NumpyArray]]:
    """The figures of each epoch and the weights at the end."""
    cr.random.manual_seed(7)
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Dropout(0.3), nn.Linear(6, 3))
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    chosen = {"epochs": 3, "seed": 5, "progress": False, **options}
    history = fit(model, optimizer, data=(INPUTS, LABELS), compile=compiled, **chosen)
    return history.rows, [each.numpy() for each in model.parameters()]


@pytest.mark.parametrize("name", RUNS)
def test_compiled_training_is_eager_training(name: str) -> None:
    (rows, weights), (expected, wanted) = trained(True, RUNS[name]), trained(False, RUNS[name])
    assert len(rows) == len(expected)
    for mine, theirs in zip(rows, expected, strict=True):
        assert mine.keys() == theirs.keys()
        for figure in mine.keys() - {"seconds"}:
            np.testing.assert_allclose(mine[figure], theirs[figure], rtol=1e-4, err_msg=figure)
    for mine, theirs in zip(weights, wanted, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2e-3, atol=2e-5)


class Two(nn.Module):
    """Classes, and by the way the inputs again."""

    def __init__(self) -> None:
        super().__init__()
        self.classes, self.inputs = nn.Linear(4, 3), nn.Linear(4, 4)

    def forward(self, x: Any) -> Any:
        return {"classes": self.classes(x), "rest": (self.inputs(x) - x,)}


def both(outputs: Any, labels: Any) -> Any:
    return nn.functional.cross_entropy(outputs["classes"], labels) + (outputs["rest"][0] ** 2).mean()


def right(outputs: Any, labels: Any) -> float:
    return float((outputs["classes"].argmax(axis=1) == labels).mean() + 100 * np.square(outputs["rest"][0]).mean())


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("compiled", [False, True])
def test_several_outputs(compiled: bool, accumulate: int) -> None:
    """Losses and metrics are given what the network gives; the last row's figures follow from the weights alone."""
    cr.random.manual_seed(1)
    model = Two()
    optimizer = optim.SGD(model.parameters(), lr=0.0)
    options: dict[str, Any] = {
        "batch_size": 4,
        "accumulate": accumulate,
        "metrics": right,
        "validation": (INPUTS, LABELS),
    }
    history = fit(model, optimizer, both, (INPUTS, LABELS), epochs=1, compile=compiled, progress=False, **options)
    outputs = cr.train.predict(model, INPUTS, batch_size=5)
    assert outputs["classes"].shape == (37, 3) and outputs["rest"][0].shape == (37, 4)
    for name in ("right", "val_right"):
        assert history.rows[-1][name] == pytest.approx(right(outputs, LABELS), rel=1e-5)


def test_diverging_training_says_in_which_step() -> None:
    messages = []
    for compiled in (True, False):
        model = nn.Linear(4, 1)
        inputs = np.ones((20, 4), np.float32)
        inputs[13] = 1e30
        with pytest.raises(cr.errors.DivergenceError) as caught:
            fit(
                model,
                optim.SGD(model.parameters(), lr=0.01),
                "mse",
                (inputs, np.zeros((20, 1), np.float32)),
                mode="stochastic",
                shuffle=False,
                compile=compiled,
                progress=False,
            )
        messages.append(str(caught.value).split(" at learning")[0])
    assert messages[0] == messages[1]
    assert "step 14" in messages[0]


class Logarithms(nn.Module):
    def forward(self, x: Any) -> Any:
        return cr.log(x) * self.weight

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(np.ones(4, np.float32))


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("option", ["data", "validation"])
def test_the_example_that_was_not_finite_is_named(option: str, compiled: bool, tmp_path: Path) -> None:
    """By its place in the data, however the steps run; in validation too, where it was only a figure."""
    inputs = np.abs(INPUTS) + 0.1
    bad = inputs.copy()
    bad[29, 2] = 0
    model = Logarithms()
    given: Any = {"data": (inputs, inputs), "validation": (inputs, inputs), option: (bad, inputs)}
    options: Any = {"batch_size": 8, "check_finite": True, "compile": compiled, "progress": False}
    with pytest.raises(NonFiniteError, match=r"(?s)infinity in log.*: example 29 of the data") as caught:
        fit(model, optim.SGD(model.parameters(), lr=0.01), "mse", **given, **options, run_directory=tmp_path / "run")
    assert caught.value.file is not None and caught.value.file.startswith(str(tmp_path))
    assert ("in validation" in str(caught.value)) == (option == "validation")


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_figures_of_many_batches_are_those_of_one_after_the_other(metric: Metric) -> None:
    """To the bit, and however the batches are counted together."""
    random = np.random.default_rng(1)
    classes = metric.name in ("accuracy", "top_5_accuracy")
    outputs = random.standard_normal((6, 5, 7)).astype(np.float32)
    targets = random.integers(0, 7, (6, 5)) if classes else random.standard_normal((6, 5, 7)).astype(np.float32)
    losses = random.standard_normal(6).tolist()
    singly, together = Totals([metric]), Totals([metric])
    for loss, output, target in zip(losses, outputs, targets, strict=True):
        singly.add(loss, output, target)
    for start, stop in ((0, 1), (1, 4), (4, 6)):
        together.add_batches(losses[start:stop], 5, outputs[start:stop], targets[start:stop])
    assert singly.state_dict() == together.state_dict()


class Looked(nn.Module):
    """It asks for the elements of an array, so that it can't be traced; from the second batch on it gives NaN."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.seen = nn.Linear(4, 3), 0

    def forward(self, inputs: Any) -> Any:
        outputs = self.linear(inputs)
        self.seen += bool(outputs.numpy().size) and len(inputs) > 1
        return outputs if self.seen < 2 else cr.sqrt(-1 - outputs**2)


def test_a_network_that_cannot_be_traced_is_checked_on_a_loader_too(tmp_path: Path) -> None:
    model = Looked()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    given: dict[str, Any] = {"check_finite": True, "run_directory": tmp_path / "run", "progress": False}
    with pytest.warns(CompileWarning), pytest.raises(NonFiniteError, match="in sqrt"):
        fit(model, optimizer, data=cr.data.loader((INPUTS, LABELS), 8), **given)
    assert all(np.isfinite(array).all() for array in model.state_dict().values())


@pytest.mark.parametrize("data", [(INPUTS, LABELS), cr.data.loader((INPUTS, LABELS), 64)], ids=["arrays", "loader"])
def test_weights_that_the_last_step_spoiled_are_found_before_they_are_kept(data: Any, tmp_path: Path) -> None:
    """The loss is taken before the update: no later step looks at what it left."""
    model = nn.Linear(4, 3)
    before = model.state_dict()
    given: dict[str, Any] = {"epochs": 1, "batch_size": 64} if isinstance(data, tuple) else {"epochs": 1}
    given |= {"check_finite": True, "run_directory": tmp_path / "run", "progress": False}
    with pytest.raises(NonFiniteError, match=r"^Parameter weight after the step"):
        fit(model, optim.SGD(model.parameters(), lr=1e39), data=data, **given)
    assert all(array.tobytes() == before[name].tobytes() for name, array in model.state_dict().items())
    saved = cr.train.RunDirectory(tmp_path / "run").load()
    assert saved["step"] == 0 and all(np.isfinite(array).all() for array in saved["model"].values())


@pytest.mark.parametrize("metrics", [(), ("accuracy",)], ids=["the loss alone", "with outputs"])
def test_results_are_told_by_their_own_names(metrics: Any) -> None:
    """Where no metric wants the outputs, what comes after the loss are the weights."""
    model = nn.Linear(4, 3)
    with pytest.raises(NonFiniteError) as caught:
        fit(
            model,
            optim.SGD(model.parameters(), lr=1e39),
            data=(INPUTS, LABELS),
            batch_size=64,
            epochs=1,
            metrics=metrics,
            check_finite=True,
            progress=False,
        )
    assert "the output of the network" not in str(caught.value)
    assert str(caught.value).startswith("Parameter weight after the step")


@pytest.mark.parametrize("data", [(INPUTS, LABELS), cr.data.loader((INPUTS, LABELS), 8)], ids=["arrays", "loader"])
def test_l_bfgs_is_compiled_for_nobody_and_who_asks_is_told(data: Any) -> None:
    model = nn.Linear(4, 3)
    with pytest.raises(TraceError, match=r"LBFGS .* give fit no compile=True"):
        fit(model, optim.LBFGS(model.parameters()), data=data, compile=True, progress=False)
    assert fit(model, optim.LBFGS(model.parameters()), data=data, epochs=1, progress=False).last["step"]
