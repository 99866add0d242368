"""Holding out a part of the data, for validation or test."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ConfigurationError, DataError
from .nested import Nested, common_length, map_leaves, to_arrays
from .order import permutation


def split(
    arrays: Nested, fraction: float | np.floating[Any], seed: int = 0, stratify: ArrayLike | None = None
) -> tuple[Nested, Nested]:
    """Split examples at random into (the rest, the held-out `fraction`), each in the nest of `arrays`, shuffled.

    `stratify` is one class per example (n,): each class is then held out in proportion. The choice follows from `seed`
    alone and is the same on every machine. Raises DataError where a part would be empty.

    >>> rest, held_out = split(np.arange(10), 0.2)
    >>> len(rest), len(held_out)
    (8, 2)
    """
    data = to_arrays(arrays)
    length = common_length(data)
    held_out_count = count_held_out(length, fraction)
    kept, held_out = split_indices(length, held_out_count, seed, stratify)
    return map_leaves(lambda array: array[kept], data), map_leaves(lambda array: array[held_out], data)


def split_indices(
    length: int, held_out_count: int, seed: int = 0, stratify: ArrayLike | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The indices of (the rest, the held-out), each in the seed's shuffled order."""
    classes = np.zeros(length) if stratify is None else np.asarray(stratify)
    if classes.shape != (length,):
        raise DataError(f"stratify needs one class per example, shape ({length},), but has shape {classes.shape}")
    chosen = permutation(length, seed)
    chosen = chosen[np.argsort(_turns(classes[chosen]), kind="stable")[:held_out_count]]
    is_held_out = np.zeros(length, dtype=bool)
    is_held_out[chosen] = True
    # A second order, since in the first the held-out members of each class come before the kept ones.
    order = permutation(length, seed, epoch=1)
    return order[~is_held_out[order]], order[is_held_out[order]]


def _turns(classes: NDArray[np.generic]) -> NDArray[np.float64]:
    """When each example's turn comes to be held out, so that any first part has every class in proportion.

    The k-th of the n members of a class comes at (k + 1/2) / n: the Sainte-Laguë rule for sharing out seats.
    """
    _, codes, counts = np.unique(classes, return_inverse=True, return_counts=True)
    turn = np.empty(len(classes), dtype=np.float64)
    for code, count in enumerate(counts):
        turn[codes == code] = (np.arange(count) + 0.5) / count
    return turn


def count_held_out(length: int, fraction: float | np.floating[Any]) -> int:
    if isinstance(fraction, bool) or not isinstance(fraction, (float, np.floating)) or not 0 < fraction < 1:
        raise ConfigurationError(f"the held-out fraction lies between 0 and 1, such as 0.1; got {fraction!r}")
    count = round(length * fraction)
    if count == 0 or count == length:
        raise DataError(
            f"a fraction of {fraction} of {length} examples is {count}: nothing would be left "
            f"{'to hold out' if count == 0 else 'to train on'}; give more data or another fraction"
        )
    return count
