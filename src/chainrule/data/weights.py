"""How much each example counts: weights of classes, and of examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ConfigurationError, DataError

ClassWeight: TypeAlias = "str | Mapping[Any, float] | Sequence[float] | NDArray[Any]"

BALANCED = "balanced"


def class_weights(labels: ArrayLike, sample_weight: ArrayLike | None = None) -> dict[Any, float]:
    """The weight of each class that makes all count alike: examples / (classes * examples of the class).

    labels: one class an example (n,), of any type. sample_weight (n,): then their sums stand for numbers of examples.

    >>> class_weights(["cat", "cat", "cat", "dog"])
    {'cat': 0.6666666666666666, 'dog': 2.0}
    """
    classes, places = np.unique(_labels(labels), return_inverse=True)
    counts = np.bincount(places, None if sample_weight is None else checked_weights(sample_weight, len(places)))
    present = counts > 0
    each = np.divide(counts.sum(), present.sum() * counts, out=np.zeros(len(classes)), where=present)
    return dict(zip(classes.tolist(), each.tolist()))


def example_weights(
    labels: ArrayLike, class_weight: ClassWeight | None = None, sample_weight: ArrayLike | None = None
) -> NDArray[np.float64]:
    """The weight of each example (n,): that of its class times its own.

    class_weight: "balanced" (see `class_weights`), a dict from classes to weights (1 for those left out), or a sequence
    with the weight of class 0, 1, ... Raises DataError for weights that are negative or not finite or all zero.

    >>> example_weights([0, 1, 1], {1: 3.0}, sample_weight=[1.0, 1.0, 0.5]).tolist()
    [1.0, 3.0, 1.5]
    """
    known = _labels(labels)
    own = np.ones(len(known)) if sample_weight is None else checked_weights(sample_weight, len(known))
    if class_weight is None:
        return own
    if isinstance(class_weight, str) and class_weight != BALANCED:
        raise ConfigurationError(
            f"class_weight is 'balanced', a dict from classes to weights, or a sequence, not {class_weight!r}"
        )
    weights = class_weights(known, own) if isinstance(class_weight, str) else class_weight
    return checked_weights(own * of_labels(known, weights), len(known))


def of_labels(labels: ArrayLike, class_weight: Mapping[Any, float] | ArrayLike) -> NDArray[np.float64]:
    """The weight of the class of each label (n,): 1 for those a dict leaves out; a sequence has one for each class."""
    known, table = _labels(labels), as_table(class_weight)
    if isinstance(class_weight, Mapping):
        return np.array([table.get(label, 1.0) for label in known.tolist()], np.float64)
    return _looked_up(known, table)


def as_table(class_weight: Any) -> dict[Any, float]:
    """Weights by class, from a dict or from a sequence in order of the classes 0, 1, ..."""
    try:
        given = (
            class_weight if isinstance(class_weight, Mapping) else dict(enumerate(np.asarray(class_weight).tolist()))
        )
        table = {label: float(weight) for label, weight in given.items()}
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"class weights are numbers, not {class_weight!r}") from error
    wrong = [label for label, weight in table.items() if not 0 <= weight < np.inf]
    if wrong:
        raise ConfigurationError(f"the weight of class {wrong[0]!r} is {table[wrong[0]]}: expected a number from 0 up")
    return table


def _looked_up(labels: NDArray[Any], table: Mapping[Any, float]) -> NDArray[np.float64]:
    unknown = sorted({label for label in labels.tolist() if label not in table})
    if unknown:
        raise ConfigurationError(
            f"class_weight has {len(table)} weights, for the classes 0 to {len(table) - 1}, but there is a label "
            f"{unknown[0]!r}: give one for each class, or a dict"
        )
    return np.array([table[label] for label in labels.tolist()], np.float64)


def checked_weights(weights: ArrayLike, length: int, name: str = "sample_weight") -> NDArray[np.float64]:
    """Weights (length,) as float64; raises DataError that says what is wrong with them. name: of the option."""
    try:
        found = np.asarray(weights, np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} is one number an example, not {type(weights).__name__}: {error}") from error
    if found.shape != (length,):
        raise DataError(f"{name} is one number an example, shape ({length},), but has shape {found.shape}")
    wrong = np.flatnonzero(~(np.isfinite(found) & (found >= 0)))
    if len(wrong):
        raise DataError(f"{name} is {found[wrong[0]]} in row {wrong[0]}: expected finite numbers from 0 up")
    if not found.any():
        raise DataError(f"{name} is zero for every example: nothing would be learned")
    return found


def _labels(labels: ArrayLike) -> NDArray[Any]:
    found = np.asarray(labels)
    if found.ndim != 1 or found.dtype.kind == "f":
        raise DataError(
            f"class weights need one class label an example, shape (n,), but the labels are {found.dtype} "
            f"of shape {found.shape}"
        )
    return found
