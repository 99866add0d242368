"""Tables that are read as they are trained on: what is held out, what is known from the start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.cli import problem as problems
from chainrule.cli import streamed
from chainrule.cli.record import Record
from chainrule.cli.source import Source


def write_kinds(path: Path, rows: int = 400) -> Path:
    """Which of three kinds it is follows from the length; the third is only among the last rows."""
    random = np.random.default_rng(0)
    lines = ["length,colour,kind"]
    for row in range(rows):
        kind = "abc"[random.integers(2 if row < rows - 60 else 3)]
        lines.append(f"{random.normal() + 4 * 'abc'.index(kind):.3f},{'rg'[row % 2]},{kind}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every table is large, and few rows may be held at once; none is read whole."""
    monkeypatch.setattr(streamed, "LARGE", 0)
    monkeypatch.setattr(streamed, "HEAD", 100)
    monkeypatch.setattr(streamed, "AT_ONCE", 64)

    def refuse(*given: Any, **options: Any) -> None:
        raise AssertionError("the table was read whole")

    monkeypatch.setattr(problems, "read_table", refuse)


def test_every_row_has_one_part_and_all_classes_are_known(tmp_path: Path, small_memory: None) -> None:
    path = write_kinds(tmp_path / "kinds.csv")
    source = Source("table", str(path), "kind", test=0.2, validation=0.1, streamed=True)
    problem = problems.load(source)
    assert problem.streamed is not None and problem.encoder.target.classes == ("a", "b", "c")
    training = list(problem.streamed.training.read(0))
    assert problem.test is not None and problem.validation is not None
    assert problem.count == len(training) and len(problem.training) == 100
    assert len(training) + len(problem.validation) + len(problem.test) == 400
    assert 50 < len(problem.test) < 110 and 15 < len(problem.validation) < 55
    for start in (1, 150, problem.count - 1, problem.count):
        later = list(problem.streamed.training.read(start))
        assert len(later) == problem.count - start
        for mine, theirs in zip(later, training[start:]):
            np.testing.assert_array_equal(mine[0], theirs[0])
    lines = [set(table.lines.tolist()) for table in problem.streamed.held[1:] if table is not None]
    assert not lines[0] & lines[1]


def test_it_is_trained_judged_and_evaluated_again(run: Any, tmp_path: Path, small_memory: None) -> None:
    write_kinds(tmp_path / "kinds.csv")
    options = ("--target", "kind", "--mode", "online", "--batch-size", "16", "--lr", "0.1")
    assert run("train", "kinds.csv", *options).exit_code == 0
    assert Record.read(Path("runs/kinds-1")).source.streamed
    result = json.loads(Path("runs/kinds-1/result.json").read_text())
    evaluated = run("evaluate", "runs/kinds-1")
    assert evaluated.exit_code == 0 and result["measured_on"] == "test"
    assert run("train", "--resume", "runs/kinds-1").exit_code == 0
    with Path("kinds.csv").open("a") as file:
        file.write("1.0,r,a\n")
    changed = run("evaluate", "runs/kinds-1")
    assert changed.exit_code != 0 and "has changed since" in changed.output + changed.stderr


def test_classes_that_are_not_counted_cannot_be_balanced(run: Any, tmp_path: Path, small_memory: None) -> None:
    write_kinds(tmp_path / "kinds.csv")
    options = ("--target", "kind", "--mode", "online", "--class-weight")
    refused = run("train", "kinds.csv", *options, "balanced")
    assert refused.exit_code != 0 and "needs to count the classes first" in refused.output + refused.stderr
    assert not Path("runs").exists()
    assert run("train", "kinds.csv", *options, "a=1,c=3").exit_code == 0
