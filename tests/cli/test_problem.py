"""Data sets read, split and encoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chainrule.cli.problem import Problem, load
from chainrule.cli.source import Source, TableOptions
from chainrule.cli.tables import understood
from chainrule.data import TableEncoder, digits
from chainrule.errors import DataError


def _table(path: Path, target: str, **options: float) -> Problem:
    return load(Source("table", str(path), target, **{"test": 0.2, "validation": 0.1, **options}))  # type: ignore[arg-type]


def _sizes(problem: Problem) -> tuple[int, int, int]:
    return len(problem.training), len(problem.validation or ()), len(problem.test or ())  # type: ignore[arg-type]


def test_the_digits_keep_their_test_set_and_their_pixels() -> None:
    problem = load(Source("digits", validation=0.1))
    assert _sizes(problem) == (7650, 850, 1500)
    (_, _), (images, labels) = digits()
    assert problem.test is not None and (problem.test.targets == labels).all()
    assert np.allclose(problem.test.inputs, (images - 0.1307) / 0.3081, atol=1e-5)


def test_scales_come_from_the_training_rows_alone(houses: Path) -> None:
    problem = _table(houses, "price")
    assert _sizes(problem) == (43, 5, 12)
    assert isinstance(problem.encoder, TableEncoder)
    built = problem.encoder.features.index("built")
    assert problem.training.inputs[:, built].mean() == pytest.approx(0, abs=1e-5)
    assert problem.training.targets.std() == pytest.approx(1, abs=1e-5)
    assert problem.test is not None and abs(problem.test.targets.mean()) > 1e-3


def test_columns_are_understood_by_all_rows(houses: Path) -> None:
    encoder = _table(houses, "price").encoder
    assert isinstance(encoder, TableEncoder)
    lines = {line.name: line for line in understood(encoder)}
    assert [lines[name].kind for name in ("price", "id", "area", "district", "built")] == [
        "target",
        "ignored",
        "number",
        "category",
        "date",
    ]
    assert lines["id"].treatment.startswith("it identifies the rows")
    assert sum(line.inputs for line in lines.values()) == len(encoder.features)


def test_the_split_is_the_same_each_time_and_the_fingerprint_follows_the_data(houses: Path) -> None:
    first, second = _table(houses, "price"), _table(houses, "price")
    assert first.fingerprint() == second.fingerprint()
    houses.write_text(houses.read_text().replace(",A,", ",B,", 1))
    assert _table(houses, "price").fingerprint() != first.fingerprint()


def test_every_class_is_held_out_in_proportion(flowers: Path) -> None:
    problem = _table(flowers, "kind")
    assert problem.test is not None and np.bincount(problem.test.targets).tolist() == [6, 6]


def test_a_class_too_rare_to_train_on_is_still_a_class(flowers: Path) -> None:
    flowers.write_text(flowers.read_text() + "9.0,9.0,tulip\n")
    problem = _table(flowers, "kind", test=0.3)
    assert problem.outputs == 3


def test_nothing_held_out_is_none(flowers: Path) -> None:
    problem = _table(flowers, "kind", test=0.0, validation=0.0)
    assert _sizes(problem) == (60, 0, 0) and problem.test is None and problem.validation is None


def test_too_few_rows_to_hold_out_name_the_option(flowers: Path) -> None:
    flowers.write_text("\n".join(flowers.read_text().splitlines()[:5]) + "\n")
    with pytest.raises(DataError, match=r"no validation examples can be held out: .*--validation 0"):
        _table(flowers, "kind", test=0.3)


def test_a_test_file_is_encoded_as_the_training_rows(houses: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("\n".join(houses.read_text().splitlines()[:9]) + "\n")
    problem = load(Source("table", str(houses), "price", 0.0, str(other), 0.1))
    assert _sizes(problem) == (54, 6, 8)


def test_rows_without_a_target_can_be_left_out(flowers: Path) -> None:
    flowers.write_text(flowers.read_text().replace("lily", "", 1))
    with pytest.raises(DataError, match="missing in line 2"):
        _table(flowers, "kind")
    options = TableOptions(drop_missing_labels=True)
    assert sum(_sizes(load(Source("table", str(flowers), "kind", 0.2, "", 0.1, options)))) == 59


def test_images_are_scaled_by_the_training_ones(photos: Path) -> None:
    problem = load(Source("images", str(photos), test=0.25, validation=0.1))
    assert _sizes(problem) == (16, 2, 6)
    assert problem.training.inputs.shape[1:] == (1, 12, 12)
    assert problem.training.inputs.mean() == pytest.approx(0, abs=1e-5)
    assert problem.is_classification and problem.outputs == 2
