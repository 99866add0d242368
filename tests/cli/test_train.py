"""`chainrule train`, from beginning to end on tiny data; and the main job, the digits, at full size."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

import chainrule
from chainrule.interop.safetensors import load_file

SOURCES = str(Path(chainrule.__file__).resolve().parent.parent)

Run = Callable[..., Result]
Make = Callable[..., Path]


def done(result: Result) -> str:
    """The page of a command that went well."""
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout


def rows(directory: Path | str) -> list[dict[str, str]]:
    """A run's figures."""
    with (Path(directory) / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def weights(directory: Path | str) -> dict[str, np.ndarray]:
    return load_file(Path(directory) / "model.safetensors")


def same(first: Path | str, second: Path | str) -> bool:
    one, other = weights(first), weights(second)
    return one.keys() == other.keys() and all(one[name].tobytes() == other[name].tobytes() for name in one)


def test_a_table_of_classes(run: Run, flowers: Path) -> None:
    page = done(run("train", flowers, "--target", "kind", "--epochs", "40"))
    assert "petal" in page and "one of 2 classes: lily, rose" in page
    result = json.loads(Path("runs/flowers-1/result.json").read_text())
    assert result["accuracy"] >= 0.9 and result["baseline_accuracy"] == 0.5 and result["examples"] == 12
    assert f"Test accuracy  {100 * result['accuracy']:.2f} %" in page
    assert "Confusion matrix" in page and "chainrule evaluate runs/flowers-1" in page


def test_threads_at_most(run: Run, flowers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int | None] = []

    def noted(*arguments: Any, **options: Any) -> Any:
        given.append(options["threads"])
        return chainrule.train.fit(*arguments, **options)

    monkeypatch.setattr("chainrule.cli.training.fit", noted)
    begin = ("train", flowers, "--target", "kind", "--epochs", "2", "--run")
    done(run(*begin, "one", "--threads", "1"))
    done(run(*begin, "all"))
    assert given == [1, None] and same("one", "all")
    done(run("train", "--resume", "one", "--threads", "2"))
    assert given[2:] == [2]
    assert "--threads" in run(*begin, "none", "--threads", "0").stderr


def test_a_table_of_numbers(run: Run, make_houses: Make, tmp_path: Path) -> None:
    make_houses(tmp_path / "houses.csv", 200)
    page = done(run("train", "houses.csv", "--target", "price", "--epochs", "60"))
    assert "it identifies the rows" in page and "always the mean" in page
    result = json.loads(Path("runs/houses-1/result.json").read_text())
    assert result["mean_absolute_error"] < result["baseline_mean_absolute_error"] / 3
    assert float(rows("runs/houses-1")[-1]["val_error"]) > 1000, "the error shown is in the target's own units"


def test_a_folder_of_images(run: Run, photos: Path) -> None:
    page = done(run("train", "photos/", "--epochs", "10"))
    assert "12 x 12 pixels, gray" in page
    assert json.loads(Path("runs/photos-1/result.json").read_text())["accuracy"] == 1


def test_a_file_gets_plain_lines_that_fit(run: Run, flowers: Path) -> None:
    page = done(run("train", flowers, "--target", "kind", "--epochs", "3"))
    assert "\x1b" not in page and "\r" not in page
    assert max(len(line) for line in page.splitlines()) <= 80


def test_quiet_prints_the_result_only(run: Run, flowers: Path) -> None:
    page = done(run("train", flowers, "--target", "kind", "--epochs", "2", "-q"))
    assert "epoch" not in page and "Test accuracy" in page


def test_nothing_to_test_on_shows_the_validation(run: Run, flowers: Path) -> None:
    assert "Validation accuracy" in done(run("train", flowers, "--target", "kind", "--test", "0", "--epochs", "2"))
    page = done(run("train", flowers, "--target", "kind", "--test", "0", "--validation", "0", "--epochs", "2"))
    assert "Training accuracy" in page


def test_a_test_file_of_ones_own(run: Run, flowers: Path, make_flowers: Make) -> None:
    other = make_flowers(flowers.parent / "other.csv", 30, seed=1)
    page = done(run("train", flowers, "--target", "kind", "--test-file", other, "--epochs", "2"))
    assert "of 30 rows" in page


def test_early_stopping_keeps_the_best_weights(run: Run, flowers: Path) -> None:
    page = done(run("train", flowers, "--target", "kind", "--patience", "2", "--lr", "0.5"))
    figures = rows("runs/flowers-1")
    best = min(figures, key=lambda row: float(row["val_loss"]))
    assert len(figures) == int(best["epoch"]) + 2 < 200
    assert f"Stopped early: epoch {best['epoch']} was the best" in page
    again = json.loads(done(run("evaluate", "runs/flowers-1", "--json")))
    assert again["loss"] == json.loads(Path("runs/flowers-1/result.json").read_text())["loss"]


@pytest.mark.parametrize(("mode", "updates"), [("batch", 1), ("stochastic", 43), ("mini-batch", 2), ("online", 43)])
def test_the_four_modes_differ_in_their_updates(run: Run, flowers: Path, mode: str, updates: int) -> None:
    epochs = () if mode == "online" else ("--epochs", "1")
    done(run("train", flowers, "--target", "kind", "--mode", mode, *epochs))
    assert int(rows("runs/flowers-1")[-1]["step"]) == updates


@pytest.mark.parametrize(
    "optimizer", ["adam", "adamw", "nadam", "radam", "lion", "lamb", "sgd", "rmsprop", "adagrad", "lbfgs"]
)
def test_every_optimiser_learns(run: Run, flowers: Path, optimizer: str) -> None:
    done(run("train", flowers, "--target", "kind", "--optimizer", optimizer, "--epochs", "4"))
    losses = [float(row["loss"]) for row in rows("runs/flowers-1")]
    assert losses[-1] < losses[0]


SCHEDULES = {
    "one-cycle": lambda rates: rates[0] < max(rates) > 0.09 and rates[-1] < 0.01,
    "cosine": lambda rates: rates == sorted(rates, reverse=True) and rates[-1] < 1e-6,
    "step": lambda rates: np.allclose(rates, [0.1] * 2 + [0.01] * 3 + [0.001] * 3 + [0.0001]),
    "plateau": lambda rates: set(rates) == {0.1},
    "warm-up": lambda rates: rates[-1] == 0.1,
    "constant": lambda rates: set(rates) == {0.1},
}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_moves_the_learning_rate(run: Run, flowers: Path, schedule: str) -> None:
    options = ("--schedule", schedule, "--lr", "0.1", "--epochs", "9", "--patience", "0")
    done(run("train", flowers, "--target", "kind", *options))
    assert SCHEDULES[schedule]([float(row["lr"]) for row in rows("runs/flowers-1")])


def test_the_same_seed_gives_the_same_bits_and_another_seed_other_ones(run: Run, photos: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        done(run("train", photos, "--epochs", "2", "--seed", seed, "--run", name))
    assert same("a", "b") and not same("a", "c")


def test_runs_of_other_seeds_are_tested_on_the_same_examples(run: Run, flowers: Path) -> None:
    done(run("train", flowers, "--target", "kind", "--epochs", "1", "--seed", "0", "--run", "a"))
    done(run("train", flowers, "--target", "kind", "--epochs", "1", "--seed", "1", "--run", "b"))
    first, second = (json.loads(Path(name, "command.json").read_text()) for name in "ab")
    assert first["fingerprint"] == second["fingerprint"]


def test_a_finished_run_resumed_shows_its_result_again(run: Run, flowers: Path) -> None:
    done(run("train", flowers, "--target", "kind", "--epochs", "3", "--run", "made"))
    before = Path("made/result.json").read_text()
    page = done(run("train", "--resume", "made"))
    assert "was finished already" in page and "Test accuracy" in page
    assert Path("made/result.json").read_text() == before and len(rows("made")) == 3


def test_a_loss_that_grows_without_end_is_told(run: Run, houses: Path) -> None:
    result = run("train", houses, "--target", "price", "--optimizer", "sgd", "--lr", "1e6", "--run", "made")
    assert result.exit_code == 2 and "Traceback" not in result.output
    assert "training has diverged" in result.stderr and "--clip-norm 1.0" in result.stderr


STOPPED = """
import os, sys
from chainrule.cli.main import main

def stopped(event, arguments, left=[5]):
    if event == "os.rename" and str(arguments[1]).endswith("checkpoint.safetensors"):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), {number})

sys.addaudithook(stopped)
main()
"""
"""The command, which gets a signal in place of its fifth checkpoint, or just before that."""


def _stopped(number: signal.Signals, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", STOPPED.format(number=int(number)), *arguments]
    environment = {**os.environ, "COLUMNS": "80", "PYTHONPATH": SOURCES}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


OPTIONS = ("--epochs", "6", "--hidden", "16", "--batch-size", "4", "--checkpoint-every", "3")


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_stopped_in_mid_epoch_is_resumed_to_the_same_bits(
    run: Run, photos: Path, tmp_path: Path, number: signal.Signals
) -> None:
    done(run("train", photos, *OPTIONS, "--run", "whole"))
    process = _stopped(number, tmp_path, "train", "photos", *OPTIONS, "--run", "stopped")
    assert 0 < len(rows("stopped")) < 6
    if number == signal.SIGINT:
        assert process.returncode == 130 and process.stderr == ""
        assert "chainrule train --resume stopped" in process.stdout
    else:
        assert process.returncode == -number
    done(run("train", "--resume", "stopped"))
    assert same("whole", "stopped")
    kept = [{name: value for name, value in row.items() if name != "seconds"} for row in rows("stopped")]
    assert kept == [{name: value for name, value in row.items() if name != "seconds"} for row in rows("whole")]


@pytest.mark.slow
def test_the_digits_reach_98_percent_in_two_minutes(run: Run) -> None:
    started = time.monotonic()
    page = done(run("train", "digits"))
    assert time.monotonic() - started < 120
    result = json.loads(Path("runs/digits-1/result.json").read_text())
    assert result["accuracy"] >= 0.98 and result["examples"] == 1500
    assert f"Test accuracy  {100 * result['accuracy']:.2f} %" in page
    assert len(re.findall(r"^  \d +(?:[\d·]+ +){10}\d+\.\d %$", page, re.MULTILINE)) == 10
    for command in ("predict runs/digits-1 digits", "evaluate runs/digits-1", "check runs/digits-1"):
        assert f"chainrule {command}" in page
    answers = done(run("predict", "runs/digits-1", "digits")).splitlines()
    right = sum(row["true"] == row["prediction"] for row in csv.DictReader(answers))
    assert right == result["correct"]
