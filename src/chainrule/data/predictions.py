"""What a network's outputs mean in the user's own terms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError

Label: TypeAlias = str | int | float


@dataclass(frozen=True, eq=False)
class Predictions:
    """One value per row: a class label or a number; for classes, the probability of each, float64 (rows, classes)."""

    values: tuple[Label, ...]
    classes: tuple[Label, ...] = ()
    probabilities: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def confidence(self) -> NDArray[np.float64] | None:
        """The predicted class's probability (rows,); None for numbers."""
        return None if self.probabilities is None else self.probabilities.max(axis=1)

    def rows(self) -> Iterator[dict[str, Label]]:
        """One dict per row, fit for a CSV file: the prediction, then the probability of each class."""
        for number, value in enumerate(self.values):
            row: dict[str, Label] = {"prediction": value}
            if self.probabilities is not None:
                row |= {f"probability {name}": float(p) for name, p in zip(self.classes, self.probabilities[number])}
            yield row


def predict_classes(outputs: ArrayLike, classes: Sequence[Label]) -> Predictions:
    """The classes of a network's outputs before softmax, (rows, classes)."""
    scores = checked_outputs(outputs, len(classes))
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    return Predictions(tuple(classes[place] for place in scores.argmax(axis=1)), tuple(classes), probabilities)


def checked_outputs(outputs: ArrayLike, width: int) -> NDArray[np.float64]:
    """Outputs as float64 (rows, width); raises DataError where they have another shape or are not finite."""
    values: NDArray[Any] = np.asarray(outputs, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != width:
        raise DataError(f"expected outputs of shape (rows, {width}), got {values.shape}: is this the right network?")
    if not np.isfinite(values).all():
        rows = np.flatnonzero(~np.isfinite(values).all(axis=1)) + 1
        raise DataError(f"the network's outputs are not finite in {len(rows)} of the rows, the first is row {rows[0]}")
    return values
