"""`chainrule predict`: CSV in the user's own terms."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

import chainrule
from chainrule.cli.runs import open_run
from chainrule.data import TableEncoder, digits, read_table

SOURCES = str(Path(chainrule.__file__).resolve().parent.parent)

Run = Callable[..., Result]
Make = Callable[..., Path]


def answers(result: Result) -> list[dict[str, str]]:
    assert result.exit_code == 0, result.output
    return list(csv.DictReader(io.StringIO(result.stdout)))


@pytest.fixture
def classes(run: Run, flowers: Path) -> str:
    assert run("train", flowers, "--target", "kind", "--epochs", "30", "--run", "classes", "-q").exit_code == 0
    return "classes"


@pytest.fixture
def numbers(run: Run, houses: Path) -> str:
    assert run("train", houses, "--target", "price", "--epochs", "30", "--run", "numbers", "-q").exit_code == 0
    return "numbers"


def test_each_row_keeps_its_cells_and_gets_its_answer(run: Run, classes: str, flowers: Path) -> None:
    found = answers(run("predict", classes, flowers))
    with flowers.open() as file:
        given = list(csv.DictReader(file))
    assert [{name: row[name] for name in ("petal", "sepal", "kind")} for row in found] == given
    assert np.mean([row["prediction"] == row["kind"] for row in found]) > 0.9
    for row in found:
        shares = {name: float(row[f"probability {name}"]) for name in ("lily", "rose")}
        assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
        assert row["prediction"] == max(shares, key=lambda name: shares[name])


def test_numbers_are_in_the_targets_own_units_without_the_target(run: Run, numbers: str, houses: Path) -> None:
    lines = [line.rpartition(",")[0] for line in houses.read_text().splitlines()]
    Path("new.csv").write_text("\n".join(lines) + "\n")
    found = answers(run("predict", numbers, "new.csv"))
    assert list(found[0]) == ["id", "area", "district", "built", "prediction"]
    opened = open_run(Path(numbers))
    encoder = opened.record.encoder
    assert isinstance(encoder, TableEncoder)
    expected = encoder.decode(opened.outputs(encoder.encode_features(read_table("new.csv")))).values
    assert [float(row["prediction"]) for row in found] == pytest.approx(expected, rel=1e-6)
    assert all(30_000 < float(row["prediction"]) < 300_000 for row in found)


def test_only_predictions(run: Run, numbers: str, houses: Path) -> None:
    assert list(answers(run("predict", numbers, houses, "--only-predictions"))[0]) == ["prediction"]


def test_a_column_of_the_same_name_stays(run: Run, classes: str) -> None:
    Path("new.csv").write_text("petal,sepal,prediction\n0.1,0.2,mine\n")
    assert list(answers(run("predict", classes, "new.csv"))[0])[:4] == [
        "petal",
        "sepal",
        "prediction",
        "prediction (network)",
    ]


def test_a_file_holds_what_would_be_printed(run: Run, classes: str, flowers: Path) -> None:
    printed = run("predict", classes, flowers).stdout
    result = run("predict", classes, flowers, "-o", "out.csv")
    assert result.exit_code == 0 and "60 predictions written to out.csv" in result.stdout
    assert Path("out.csv").read_text() == printed
    assert [path.name for path in Path().iterdir() if path.name.endswith((".part", ".tmp"))] == []


def test_unknown_categories_and_missing_cells_are_predicted(run: Run, numbers: str) -> None:
    Path("new.csv").write_text("id,area,district,built\n1,,D,1990-05-01\n2,100,A,1990-05-01\n")
    assert len(answers(run("predict", numbers, "new.csv"))) == 2


def test_images_by_file_and_by_folder(run: Run, photos: Path) -> None:
    assert run("train", photos, "--epochs", "10", "--run", "made", "-q").exit_code == 0
    found = answers(run("predict", "made", "photos"))
    assert len(found) == 24 and all(Path(row["file"]).parent.name == row["prediction"] for row in found)
    one = answers(run("predict", "made", "photos/left/3.png", "photos/right/1.png"))
    assert [row["file"] for row in one] == [
        os.path.join("photos", "left", "3.png"),
        os.path.join("photos", "right", "1.png"),
    ]
    assert one[0] == next(row for row in found if row["file"] == one[0]["file"])


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A quick linear net on the digits."""
    from click.testing import CliRunner

    from chainrule.cli.main import chainrule as root

    path = tmp_path_factory.mktemp("digits") / "made"
    options = ["--network", "linear", "--epochs", "1", "--run", str(path), "-q"]
    assert CliRunner().invoke(root, ["train", "digits", *options]).exit_code == 0
    return path


def test_the_test_digits(run: Run, digits_run: Path) -> None:
    found = answers(run("predict", digits_run, "digits"))
    assert len(found) == 1500
    assert np.mean([row["true"] == row["prediction"] for row in found]) > 0.85


def test_photographs_of_digits_may_be_dark_on_light(run: Run, digits_run: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    (_, _), (images, _) = digits()
    pixels = np.rint(images[0, 0] * 255).astype(np.uint8)
    image.fromarray(pixels).save("ink.png")
    image.fromarray(255 - pixels).save("paper.png")
    ink, paper = answers(run("predict", digits_run, "ink.png", "paper.png"))
    assert {**ink, "file": ""} == {**paper, "file": ""}
    first = answers(run("predict", digits_run, "digits"))[0]
    assert ink["probability 3"] == first["probability 3"]


@pytest.mark.skipif(os.name == "nt", reason="a pipe of POSIX's")
def test_a_reader_that_stops_reading_is_no_error(classes: str, flowers: Path, tmp_path: Path) -> None:
    command = f"{sys.executable} -m chainrule predict {classes} {flowers.name} | head -1"
    environment = {**os.environ, "PYTHONPATH": SOURCES}
    done = subprocess.run(
        command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("petal,sepal,kind,prediction") and done.stderr == ""
