"""How good predictions are, in numbers: for classes and for numbers, each beside a baseline that learned nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..data.predictions import Label
from ..errors import DataError

Counts: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Confusion:
    """Examples of one class taken for another."""

    true: Label
    predicted: Label
    count: int


@dataclass(frozen=True, eq=False)
class ClassResult:
    """Classes told apart: `matrix` counts examples, int64 (true classes, predicted classes)."""

    classes: tuple[Label, ...]
    matrix: Counts
    loss: float
    baseline: float  # accuracy of always answering the class most frequent in training
    baseline_class: Label

    @property
    def count(self) -> int:
        return int(self.matrix.sum())

    @property
    def correct(self) -> int:
        return int(np.trace(self.matrix))

    @property
    def accuracy(self) -> float:
        return self.correct / self.count

    @property
    def recall(self) -> NDArray[np.float64]:
        """Of each class's examples the share found; NaN where it has none."""
        return _shares(np.diag(self.matrix), self.matrix.sum(axis=1))

    @property
    def precision(self) -> NDArray[np.float64]:
        """Of the answers naming each class the share that is right; NaN where it was never named."""
        return _shares(np.diag(self.matrix), self.matrix.sum(axis=0))

    def confusions(self) -> list[Confusion]:
        """The mistakes made, most frequent first."""
        wrong = self.matrix.copy()
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind="stable")[: np.count_nonzero(wrong)]
        places = zip(*np.unravel_index(order, wrong.shape))
        return [Confusion(self.classes[row], self.classes[column], int(wrong[row, column])) for row, column in places]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "task": "classification",
            "examples": self.count,
            "correct": self.correct,
            "accuracy": self.accuracy,
            "loss": self.loss,
            "baseline_accuracy": self.baseline,
            "baseline_class": self.baseline_class,
            "classes": list(self.classes),
            "confusion_matrix": self.matrix.tolist(),
        }


@dataclass(frozen=True)
class NumberResult:
    """Numbers predicted, in the target's own units; the baseline always answers the mean of the training targets."""

    target: str
    count: int
    mean_absolute_error: float
    root_mean_square_error: float
    r_squared: float  # NaN where the targets are all the same
    baseline_mean_absolute_error: float
    baseline_root_mean_square_error: float
    baseline_r_squared: float
    mean: float  # the baseline's answer

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        state = {"task": "regression", "target": self.target, "examples": self.count}
        numbers = {name: value for name, value in vars(self).items() if name not in ("target", "count")}
        return state | {name: None if np.isnan(value) else value for name, value in numbers.items()}


Result: TypeAlias = ClassResult | NumberResult


def class_result(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64], classes: tuple[Label, ...], training_counts: Counts
) -> ClassResult:
    """Compare probabilities (examples, classes) with labels (examples,), given how often training had each class."""
    _check_some(labels)
    predicted = probabilities.argmax(axis=1)
    matrix = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(matrix, (labels, predicted), 1)
    own = probabilities[np.arange(len(labels)), labels]
    loss = float(-np.log(np.maximum(own, np.finfo(np.float64).tiny)).mean())
    most_frequent = int(np.argmax(training_counts))
    baseline = float((labels == most_frequent).mean())
    return ClassResult(classes, matrix, loss, baseline, classes[most_frequent])


def number_result(
    predicted: NDArray[np.float64], wanted: NDArray[np.float64], target: str, training_mean: float
) -> NumberResult:
    """Compare predictions with what was wanted, both (examples,) in the target's units."""
    _check_some(wanted)
    own = _errors(predicted, wanted)
    baseline = _errors(np.full_like(wanted, training_mean), wanted)
    return NumberResult(target, len(wanted), *own, *baseline, training_mean)


def _errors(predicted: NDArray[np.float64], wanted: NDArray[np.float64]) -> tuple[float, float, float]:
    """Mean absolute error, root mean square error, R squared."""
    difference = predicted - wanted
    squares = float((difference**2).mean())
    variance = float(wanted.var())
    r_squared = 1 - squares / variance if variance > 0 else float("nan")
    return float(np.abs(difference).mean()), squares**0.5, r_squared


def _shares(part: Counts, whole: Counts) -> NDArray[np.float64]:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def _check_some(targets: NDArray[Any]) -> None:
    if len(targets) == 0:
        raise DataError("there are no labelled examples to measure with")
