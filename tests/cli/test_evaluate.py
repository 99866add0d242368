"""`chainrule evaluate`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]
Make = Callable[..., Path]


@pytest.fixture
def trained(run: Run, flowers: Path) -> str:
    assert run("train", flowers, "--target", "kind", "--epochs", "20", "--run", "made", "-q").exit_code == 0
    return "made"


def measured(result: Result) -> dict[str, object]:
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.stdout)
    return found


def test_its_own_test_examples_give_the_result_of_the_training(run: Run, trained: str) -> None:
    kept = json.loads(Path(trained, "result.json").read_text())
    assert kept.pop("measured_on") == "test"
    assert measured(run("evaluate", trained, "--json")) == kept
    page = run("evaluate", trained).stdout
    assert f"Test accuracy  {100 * kept['accuracy']:.2f} %" in page and "Confusion matrix" in page


def test_other_examples_with_the_baseline_of_the_training(run: Run, trained: str, make_flowers: Make) -> None:
    other = make_flowers(Path("other.csv"), 40, seed=3)
    found = measured(run("evaluate", trained, other, "--json"))
    assert found["examples"] == 40 and found["accuracy"] >= 0.9
    assert "other.csv: accuracy" in run("evaluate", trained, other).stdout


def test_a_folder_with_some_of_the_classes(run: Run, photos: Path) -> None:
    assert run("train", photos, "--epochs", "10", "--run", "made", "-q").exit_code == 0
    for file in (photos / "right").iterdir():
        file.rename(photos / "left" / f"r{file.name}")
    (photos / "right").rmdir()
    (photos / "left").rename(photos / "right")
    (photos / "left").mkdir()
    (photos / "right" / "0.png").rename(photos / "left" / "0.png")
    found = measured(run("evaluate", "made", photos, "--json"))
    assert found["correct"] == 13, "eleven images of `left` stand in the folder `right`"


def test_the_data_may_be_gone_when_others_are_named(run: Run, trained: str, flowers: Path) -> None:
    flowers.rename("moved.csv")
    result = run("evaluate", trained)
    assert result.exit_code == 2 and "is not there any more" in result.stderr
    assert run("evaluate", trained, "moved.csv").exit_code == 0
