"""fit: its modes, what it reports, when it stops, and what it refuses."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.errors import (
    ChainruleError,
    ConfigurationError,
    DataError,
    DivergenceError,
    DtypeError,
    ShapeError,
    UnknownNameError,
)
from chainrule.train import METRICS
from chainrule.train.validate import AT_ONCE, check_finite

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(size=(40, 3)).astype(np.float32)
NUMBERS = (INPUTS @ np.array([[1.0], [-2.0], [0.5]]) + 0.3).astype(np.float32)
LABELS = (INPUTS[:, 0] > 0).astype(np.int64)


def line() -> tuple[nn.Module, optim.Optimizer]:
    cr.random.manual_seed(0)
    model = nn.Linear(3, 1)
    return model, optim.SGD(model.parameters(), lr=0.1)


def slip(outputs: Any, targets: Any) -> float:
    """A function with a mistake in it."""
    return 1 / 0


def fit(**options: Any) -> cr.train.History:
    model, optimizer = line()
    given: dict[str, Any] = {"loss": "mse", "data": (INPUTS, NUMBERS), "epochs": 3, "progress": False}
    return cr.train.fit(model, optimizer, **{**given, **options})


@pytest.mark.parametrize(("mode", "updates"), [("batch", 3), ("stochastic", 120), ("mini-batch", 3 * 5)])
def test_a_mode_says_how_often_weights_move(mode: str, updates: int) -> None:
    batch_size = 8 if mode == "mini-batch" else None
    assert fit(mode=mode, batch_size=batch_size).last["step"] == updates


def test_online_sees_each_example_once_in_order() -> None:
    seen: list[float] = []

    def examples() -> Iterator[Any]:
        for x, y in zip(INPUTS, NUMBERS):
            seen.append(float(x[0]))
            yield x, y

    history = fit(mode="online", data=examples(), epochs=None, batch_size=4)
    assert seen == [float(x) for x in INPUTS[:, 0]]
    assert history.last["step"] == 10


def test_one_batch_step_is_gradient_descent() -> None:
    model, optimizer = line()
    weight, bias = (np.array(each.numpy(), np.float64) for each in model.parameters())
    cr.train.fit(model, optimizer, loss="mse", data=(INPUTS, NUMBERS), mode="batch", epochs=1, progress=False)
    error = INPUTS @ weight.T + bias - NUMBERS
    expected = weight - 0.1 * 2 * (error * INPUTS).mean(axis=0)
    np.testing.assert_allclose(model.weight.numpy(), expected, rtol=1e-5)


def test_least_squares_is_found_and_reported() -> None:
    history = fit(epochs=300, batch_size=8, metrics=["mae", "rmse", "r2"], validation=0.25)
    assert history.last["val_loss"] < 1e-6
    assert history.last["r2"] > 0.99999
    assert history.last["rmse"] == pytest.approx(np.sqrt(history.last["loss"]), rel=1e-6)
    assert len(history["mae"]) == 300


def test_figures_do_not_depend_on_batches() -> None:
    model, _ = line()
    whole, parts = (
        cr.train.evaluate(model, (INPUTS, NUMBERS), "mse", ["mae", "r2"], batch_size=size) for size in (40, 7)
    )
    for name, value in whole.items():
        assert parts[name] == pytest.approx(value, rel=1e-6)


def test_early_stopping_goes_back_to_the_best_epoch() -> None:
    model, optimizer = line()
    weights: list[Any] = []
    rule = cr.train.EarlyStopping(patience=2, monitor="loss")
    losses = iter([3.0, 1.0, 2.0, 2.0, 2.0, 2.0])
    current = [0.0]

    def loss(outputs: Any, targets: Any) -> Any:
        return nn.functional.mse_loss(outputs, targets) * 0.0 + current[0] + 0.0 * cr.sum(outputs)

    def advance(state: Any) -> None:
        weights.append(state.model.state_dict())
        current[0] = next(losses)

    current[0] = next(losses)
    history = cr.train.fit(
        model,
        optimizer,
        loss=loss,
        data=(INPUTS, NUMBERS),
        epochs=6,
        early_stopping=rule,
        callbacks=[advance],
        compile=False,  # the loss reads a Python number that changes
        progress=False,
    )
    assert (history.stopped_early, history.best_epoch, len(history)) == (True, 2, 4)
    np.testing.assert_array_equal(model.state_dict()["weight"], weights[1]["weight"])


def test_a_callback_can_stop() -> None:
    history = fit(epochs=9, callbacks=[lambda state: "stop" if state.epoch == 2 else None])
    assert len(history) == 2
    assert history.stopped_early


def test_dropout_is_off_in_validation_and_on_again_in_training() -> None:
    modes: list[bool] = []

    class Spy(nn.Module):
        def forward(self, x: Any) -> Any:
            modes.append(self.training)
            return x

    model = nn.Sequential(Spy(), nn.Linear(3, 1))
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    cr.train.fit(
        *(model, optimizer, "mse", (INPUTS, NUMBERS), 20, 2),
        validation=(INPUTS[:5], NUMBERS[:5]),
        compile=False,  # a compiled step calls the modules only once
        progress=False,
    )
    assert modes[-6:] == [True, True, False, True, True, False]


def test_what_a_run_directory_holds(tmp_path: Path) -> None:
    history = fit(run_directory=tmp_path, metrics=["mae"], config={"task": "line"})
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["task"] == "line"
    assert config["fit"]["loss"] == "mse"
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["mae"]) for row in rows] == history["mae"]
    assert set(cr.train.RunDirectory(tmp_path).load_model()) == {"weight", "bias"}
    (tmp_path / "plain").touch()
    assert {file.stat().st_mode for file in tmp_path.iterdir()} == {(tmp_path / "plain").stat().st_mode}
    assert not list(tmp_path.glob("*.tmp")) + list(tmp_path.glob(".*.tmp"))


NAN = INPUTS.copy()
NAN[7, 1] = np.nan


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"data": (NAN, NUMBERS)}, DataError, "rows.*7"),
        ({"data": (INPUTS, NUMBERS * np.inf)}, DataError, "targets"),
        ({"data": (INPUTS[:3], NUMBERS)}, DataError, "3 inputs but 40 targets"),
        ({"data": (INPUTS[:0], NUMBERS[:0])}, DataError, "empty"),
        ({"data": INPUTS}, DataError, "pair"),
        ({"data": None}, ConfigurationError, "data="),
        ({"data": (INPUTS, NUMBERS[:, 0])}, ShapeError, "one shape"),
        ({"loss": "mses"}, UnknownNameError, "mse"),
        ({"metrics": ["acuracy"]}, UnknownNameError, "accuracy"),
        ({"mode": "minibatch"}, UnknownNameError, "mini-batch"),
        ({"schedule": "cosin"}, UnknownNameError, "cosine"),
        ({"epochs": 0}, ConfigurationError, "epochs"),
        ({"batch_size": 0}, ConfigurationError, "batch_size"),
        ({"mode": "online", "epochs": 2}, ConfigurationError, "once"),
        ({"mode": "stochastic", "batch_size": 4}, ConfigurationError, "each example"),
        ({"resume": True}, ConfigurationError, "run_directory"),
        ({"early_stopping": 0}, ConfigurationError, "patience"),
        ({"threads": 0}, ConfigurationError, "threads is an integer of at least 1"),
        ({"threads": 1.5}, ConfigurationError, "threads is an integer"),
        ({"checkpoint_seconds": -1}, ConfigurationError, "checkpoint_seconds"),
        ({"clip_norm": 0}, ConfigurationError, "clip_norm.*or None"),
        ({"callbacks": print}, ConfigurationError, "callbacks is a list"),
        ({"recorders": [3]}, ConfigurationError, "recorders is a list"),
        ({"progress": 3}, ConfigurationError, "progress is True, False"),
        ({"run_directory": __file__}, ConfigurationError, "is a file: name a directory"),
        ({"data": ([[1, 2, 3], [4]], [[1], [2]])}, DataError, "inputs of data make no array"),
        (
            {"metrics": "r2", "loss": lambda outputs, _: (outputs**2).mean(), "data": (INPUTS, INPUTS)},
            ShapeError,
            "need targets of the same shape",
        ),
        ({"loss": lambda outputs, targets: 3.0}, ConfigurationError, "the loss gives a float"),
        ({"loss": lambda outputs, targets: outputs}, ConfigurationError, r"gives \(40, 1\) numbers: expected one"),
        ({"loss": lambda outputs, targets: targets.mean()}, ConfigurationError, "no weight that is trained"),
        ({"data": (INPUTS[:, :2], NUMBERS)}, ShapeError, "first example of data"),
        ({"validation": (INPUTS[:, :2], NUMBERS)}, ShapeError, "first example of validation"),
        ({"validation": 1}, ConfigurationError, "between 0 and 1"),
        ({"data": (INPUTS.astype("float16"), NUMBERS)}, DataError, "inputs of data are float16: convert"),
        ({"data": (INPUTS, np.ma.masked_less(NUMBERS, 0))}, DtypeError, r"mask(.|\n)*in the targets of data"),
        ({"metrics": ["mae", "mae"]}, ConfigurationError, "'mae', as another metric is"),
        ({"metrics": [lambda o, t: 1.0, lambda o, t: 2.0]}, ConfigurationError, "as another metric is"),
        (
            {"metrics": [METRICS["mae"], replace(METRICS["mae"], name="lr")]},
            ConfigurationError,
            "'lr', as a column of the history is",
        ),
        ({"metrics": [lambda outputs, targets: outputs]}, ConfigurationError, r"of shape \(40, 1\): expected one"),
        ({"metrics": [lambda outputs, targets: None]}, ConfigurationError, "gives None: expected one number"),
    ],
)
def test_what_is_refused(options: dict[str, Any], kind: type[ChainruleError], words: str) -> None:
    with pytest.raises(kind, match=words):
        fit(**{"mode": "batch" if "metrics" in options or "loss" in options else "mini-batch", **options})


@pytest.mark.parametrize("compile", [False, True])
@pytest.mark.parametrize(("option", "words"), [("loss", "in the loss"), ("metrics", "in the metric slip")])
def test_errors_of_functions_that_were_given_stay_what_they_are(option: str, words: str, compile: bool) -> None:
    """With a note that says where they came from."""
    with pytest.raises(ZeroDivisionError) as caught:
        fit(**{option: slip, "compile": compile})
    assert words in caught.value.__notes__[0]


def test_metrics_see_what_they_can_not_change() -> None:
    """Neither for the next metric nor in the data itself."""

    def spoil(outputs: Any, targets: Any) -> float:
        for array in (outputs, targets):
            with pytest.raises(ValueError, match="read-only"):
                array[:] = 0
        return 1.0

    for compile in (False, True):
        rows = fit(metrics=[spoil], shuffle=False, validation=(INPUTS, NUMBERS), compile=compile).rows
        assert rows[-1]["spoil"] == rows[-1]["val_spoil"] == 1


def test_settings_that_cannot_be_kept_leave_the_directory_free(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="config holds what can't be kept as JSON"):
        fit(run_directory=tmp_path, config={"data": INPUTS})
    assert not list(tmp_path.iterdir())
    with pytest.raises(ConfigurationError, match="not the class Linear"):
        cr.train.fit(nn.Linear, optim.SGD, data=(INPUTS, NUMBERS))


def test_a_label_out_of_range_is_named_before_training() -> None:
    labels = LABELS.copy()
    labels[11] = 5
    model = nn.Linear(3, 2)
    with pytest.raises(DataError, match=r"label 5 in row 11 .* 2 outputs"):
        cr.train.fit(model, optim.SGD(model.parameters(), lr=0.1), data=(INPUTS, labels), progress=False)


@pytest.mark.parametrize("compile", [True, False])
def test_labels_of_another_shape_are_told_by_their_shape(compile: bool) -> None:
    """Outputs (n, 1, 2) have one class; no label is out of range among the two that are meant."""
    model = nn.Linear(3, 2)
    data = INPUTS[:, None], LABELS
    with pytest.raises(ShapeError, match=r"need targets of shape \(\d+, 2\), but they are \(\d+,\)"):
        cr.train.fit(model, optim.SGD(model.parameters(), lr=0.1), data=data, compile=compile, progress=False)


def test_divergence_is_named_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    model = nn.Linear(3, 1)
    with pytest.raises(DivergenceError, match=r"epoch \d+, step \d+, at learning rate 1e\+20"):
        cr.train.fit(
            model,
            optim.SGD(model.parameters(), lr=1e20),
            loss="mse",
            data=(INPUTS, NUMBERS),
            run_directory=tmp_path,
            progress=False,
        )
    assert cr.train.load_checkpoint(tmp_path / "checkpoint.safetensors")["step"] == 0


def test_an_optimizer_of_another_model_is_refused() -> None:
    model, _ = line()
    _, optimizer = line()
    with pytest.raises(ConfigurationError, match="parameters"):
        cr.train.fit(model, optimizer, "mse", (INPUTS, NUMBERS), progress=False)


def test_lbfgs_solves_least_squares_in_a_few_updates() -> None:
    model = nn.Linear(3, 1)
    optimizer = optim.LBFGS(model.parameters(), line_search_fn="strong_wolfe")
    history = cr.train.fit(model, optimizer, "mse", (INPUTS, NUMBERS), mode="batch", epochs=5, progress=False)
    assert history.last["loss"] < 1e-8


def test_predict_gives_what_the_model_gives() -> None:
    model, _ = line()
    given = cr.train.predict(model, INPUTS, batch_size=7)
    np.testing.assert_allclose(given, INPUTS @ model.weight.numpy().T + model.bias.numpy(), rtol=1e-5)


def test_plain_lines_where_there_is_no_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    fit(progress=True, epochs=2)
    lines = capfd.readouterr().err.splitlines()
    assert [each.split("  ")[0] for each in lines] == ["epoch 1/2", "epoch 2/2"]


def test_numbers_that_are_not_finite_are_found_in_the_last_rows_of_much_data() -> None:
    inputs = np.zeros((3, AT_ONCE // 2), np.float32)
    inputs[2, -1] = np.nan
    check_finite(inputs[:2], "inputs")
    with pytest.raises(DataError, match=r"inputs hold NaN or infinite numbers in 1 of the rows \(2\)"):
        check_finite(inputs, "inputs")
