"""Shuffled orders that never change: the same seed and epoch give the same order on every machine and NumPy version.

Each element's sort key is 64 bits of Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
2011): key = seed, counter = (index, epoch). A stable sort of the keys is the order. Only integer arithmetic is used,
and `numpy.random` is not, since NumPy reserves the right to change its streams.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigurationError
from ..ops.philox import LOW_WORD, WORD_BITS, philox


def permutation(length: int, seed: int = 0, epoch: int = 0) -> NDArray[np.int64]:
    """The order of `length` elements for one seed and epoch: int64 indices (length,).

    Raises ConfigurationError where seed or epoch is not an integer from 0 to 2**64 - 1.
    """
    seed_low, seed_high = _words("seed", seed)
    epoch_low, epoch_high = _words("epoch", epoch)
    index = np.arange(length, dtype=np.uint64)
    counters = np.empty((4, length), np.uint64)
    counters[0], counters[1] = index & LOW_WORD, index >> WORD_BITS
    counters[2], counters[3] = epoch_low, epoch_high
    words = philox(counters, (seed_low, seed_high))
    keys = (words[0] << WORD_BITS) | words[1]
    return np.argsort(keys, kind="stable").astype(np.int64)


def _words(name: str, value: int) -> tuple[int, int]:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 0 <= value < 2**64:
        raise ConfigurationError(f"{name} is an integer from 0 to 2**64 - 1, not {value!r}")
    return int(value) & 0xFFFFFFFF, int(value) >> 32
