"""Shuffled orders that never change: the same seed and epoch give the same order on every machine and NumPy version.

Each element's sort key is 64 bits of Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
2011): key = seed, counter = (index, epoch). A stable sort of the keys is the order. Only integer arithmetic is used,
and `numpy.random` is not, since NumPy reserves the right to change its streams.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigurationError
from ..ops.philox import LOW_WORD, WORD_BITS, philox


def permutation(length: int, seed: int = 0, epoch: int = 0) -> NDArray[np.int64]:
    """The order of `length` elements for one seed and epoch: int64 indices (length,).

    Raises ConfigurationError where seed or epoch is not an integer from 0 to 2**64 - 1.
    """
    return np.argsort(random_words(np.arange(length), seed, epoch), kind="stable").astype(np.int64)


def draws(count: int, weights: NDArray[np.float64], seed: int = 0, epoch: int = 0) -> NDArray[np.int64]:
    """`count` indices drawn with replacement, each as often as its weight says: int64 (count,).

    Draw i follows from (seed, epoch, i) and the weights alone.
    """
    edges = np.cumsum(weights)
    points = unit_numbers(np.arange(count), seed, epoch) * edges[-1]
    last = int(np.flatnonzero(weights)[-1])  # a point that rounds up to the end belongs to it
    return np.asarray(np.minimum(np.searchsorted(edges, points, side="right"), last), np.int64)


def unit_numbers(index: NDArray[Any], seed: int = 0, epoch: int = 0) -> NDArray[np.float64]:
    """A number in [0, 1) for each index, with 53 random bits."""
    return (random_words(index, seed, epoch) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def random_words(index: NDArray[Any], seed: int = 0, epoch: int = 0) -> NDArray[np.uint64]:
    """64 random bits for each index: they follow from (seed, epoch, index) alone."""
    seed_low, seed_high = _words("seed", seed)
    epoch_low, epoch_high = _words("epoch", epoch)
    wide = np.asarray(index).astype(np.uint64)
    counters = np.empty((4, *wide.shape), np.uint64)
    counters[0], counters[1] = wide & LOW_WORD, wide >> WORD_BITS
    counters[2], counters[3] = epoch_low, epoch_high
    words = philox(counters, (seed_low, seed_high))
    return np.asarray((words[0] << WORD_BITS) | words[1])


def _words(name: str, value: int) -> tuple[int, int]:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 0 <= value < 2**64:
        raise ConfigurationError(f"{name} is an integer from 0 to 2**64 - 1, not {value!r}")
    return int(value) & 0xFFFFFFFF, int(value) >> 32
