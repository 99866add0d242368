"""Measures against closed forms and scikit-learn-free counts made by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from chainrule.cli.results import class_result, number_result
from chainrule.errors import DataError

CLASSES = ("cat", "dog", "owl")
PROBABILITIES = np.array(
    [[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.1, 0.8, 0.1], [0.2, 0.7, 0.1], [0.3, 0.3, 0.4], [0.6, 0.2, 0.2]]
)
LABELS = np.array([0, 1, 1, 1, 2, 1])


def test_classes_are_counted_by_true_and_predicted_class() -> None:
    result = class_result(PROBABILITIES, LABELS, CLASSES, np.array([1, 5, 2]))
    assert result.matrix.tolist() == [[1, 0, 0], [2, 2, 0], [0, 0, 1]]
    assert (result.correct, result.count, result.accuracy) == (4, 6, 4 / 6)
    assert result.loss == pytest.approx(-np.log([0.7, 0.4, 0.8, 0.7, 0.4, 0.2]).mean())
    assert result.recall.tolist() == [1, 0.5, 1]
    assert result.precision == pytest.approx([1 / 3, 1, 1])


def test_the_baseline_answers_the_class_most_frequent_in_training() -> None:
    result = class_result(PROBABILITIES, LABELS, CLASSES, np.array([1, 5, 2]))
    assert (result.baseline_class, result.baseline) == ("dog", 4 / 6)
    assert class_result(PROBABILITIES, LABELS, CLASSES, np.array([9, 5, 2])).baseline == 1 / 6


def test_confusions_come_most_frequent_first() -> None:
    probabilities = np.eye(3)[[1, 1, 2, 1, 0, 0]]
    result = class_result(probabilities, np.array([0, 0, 0, 1, 2, 2]), CLASSES, np.ones(3, np.int64))
    assert [(each.true, each.predicted, each.count) for each in result.confusions()] == [
        ("cat", "dog", 2),
        ("owl", "cat", 2),
        ("cat", "owl", 1),
    ]


def test_a_class_without_examples_has_no_recall() -> None:
    result = class_result(PROBABILITIES[:1], LABELS[:1], CLASSES, np.ones(3, np.int64))
    assert math.isnan(result.recall[1]) and math.isnan(result.precision[2])
    assert json.loads(json.dumps(result.to_dict()))["confusion_matrix"] == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_numbers_are_measured_in_their_own_units_beside_the_mean() -> None:
    wanted = np.array([10.0, 20.0, 60.0])
    result = number_result(np.array([12.0, 20.0, 56.0]), wanted, "price", training_mean=30.0)
    assert result.mean_absolute_error == pytest.approx(2)
    assert result.root_mean_square_error == pytest.approx(math.sqrt(20 / 3))
    assert result.r_squared == pytest.approx(1 - 20 / 1400)
    assert result.baseline_mean_absolute_error == pytest.approx(20)
    assert result.baseline_r_squared == pytest.approx(0)


def test_targets_all_the_same_have_no_variance_to_explain() -> None:
    result = number_result(np.array([1.0, 2.0]), np.array([3.0, 3.0]), "price", 3.0)
    assert math.isnan(result.r_squared)
    assert json.loads(json.dumps(result.to_dict()))["r_squared"] is None


def test_nothing_to_measure_is_an_error() -> None:
    with pytest.raises(DataError, match="no labelled examples"):
        class_result(np.empty((0, 3)), np.empty(0, np.int64), CLASSES, np.ones(3, np.int64))
