"""What is chosen for the user, and what the user chose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chainrule.cli.defaults import Wishes, choose_network, choose_settings
from chainrule.cli.problem import Examples, Problem, load
from chainrule.cli.source import Source
from chainrule.errors import ConfigurationError
from chainrule.train.modes import pace


@pytest.fixture
def problem(houses: Path) -> Problem:
    return load(Source("table", str(houses), "price", 0.2, "", 0.1))


def _with_rows(problem: Problem, rows: int) -> Problem:
    width = problem.input_shape[0]
    return replace(problem, training=Examples(np.zeros((rows, width), np.float32), np.zeros((rows, 1), np.float32)))


@pytest.mark.parametrize(
    ("rows", "width", "batch"), [(100, 16, 32), (2_000, 32, 32), (15_000, 64, 64), (100_000, 128, 256)]
)
def test_larger_tables_get_larger_networks_and_batches(problem: Problem, rows: int, width: int, batch: int) -> None:
    larger = _with_rows(problem, rows)
    assert choose_network(Wishes(), larger).hidden == (width, width)
    assert choose_settings(Wishes(), larger).batch_size == batch


def test_what_the_user_says_is_taken(problem: Problem) -> None:
    wishes = Wishes(epochs=3, batch_size=7, optimizer="sgd", lr=0.3, schedule="cosine", patience=0, seed=9)
    settings = choose_settings(wishes, problem)
    for name in ("epochs", "batch_size", "optimizer", "lr", "schedule", "patience", "seed"):
        assert getattr(settings, name) == getattr(wishes, name)
    assert choose_network(Wishes(hidden=(5, 4, 3)), problem).hidden == (5, 4, 3)


def test_a_linear_network_has_no_hidden_layers_and_no_dropout(problem: Problem) -> None:
    network = choose_network(Wishes(network="linear"), problem)
    assert (network.hidden, network.dropout) == ((), 0.0)


def test_the_modes_set_batch_size_and_epochs(problem: Problem) -> None:
    rows = len(problem.training)
    for mode, size in (("batch", rows), ("stochastic", 1), ("online", 1)):
        assert choose_settings(Wishes(mode=mode), problem).batch_size == size
    assert choose_settings(Wishes(mode="online"), problem).epochs == 1
    assert choose_settings(Wishes(mode="online", batch_size=8), problem).batch_size == 8


def test_lbfgs_takes_all_examples_at_once(problem: Problem) -> None:
    settings = choose_settings(Wishes(optimizer="lbfgs"), problem)
    assert (settings.mode, settings.schedule) == ("batch", "constant")


def test_no_validation_means_no_early_stopping(problem: Problem) -> None:
    assert choose_settings(Wishes(), replace(problem, validation=None)).patience == 0


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        (Wishes(mode="batch", batch_size=4), "leave --batch-size out"),
        (Wishes(mode="stochastic", batch_size=4), "leave --batch-size out"),
        (Wishes(mode="online", epochs=2), "leave --epochs out"),
        (Wishes(label_smoothing=0.1), "target here is a number"),
        (Wishes(optimizer="lbfgs", weight_decay=0.1), "no weight decay"),
        (Wishes(mode="online", schedule="plateau"), "looks at whole epochs"),
    ],
)
def test_wishes_that_exclude_each_other(problem: Problem, wishes: Wishes, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        choose_settings(wishes, problem)


def test_moving_the_rows_of_a_table_about_means_nothing(problem: Problem) -> None:
    with pytest.raises(ConfigurationError, match="--shift moves images"):
        choose_network(Wishes(shift=1), problem)


@pytest.mark.parametrize(
    ("wishes", "examples"),
    [
        (Wishes(batch_size=8), 8),
        (Wishes(batch_size=8, accumulate=3), 24),
        (Wishes(batch_size=8, accumulate=30), 100),
        (Wishes(mode="batch"), 100),
        (Wishes(mode="batch", accumulate=4), 100),
        (Wishes(mode="stochastic"), 1),
        (Wishes(mode="online", batch_size=2, accumulate=5), 10),
    ],
)
def test_examples_an_update_are_those_that_fit_takes(problem: Problem, wishes: Wishes, examples: int) -> None:
    settings = choose_settings(wishes, _with_rows(problem, 100))
    given = None if settings.mode in ("batch", "stochastic") else settings.batch_size
    tempo = pace(settings.mode, given, settings.epochs, 100, None, settings.accumulate)
    assert settings.examples_an_update(100) == min(100, tempo.batch_size) == examples
