"""Shuffled orders that never change: the same seed and epoch give the same order on every machine and NumPy version.

Each element's sort key is 64 bits of Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
2011): key = seed, counter = (index, epoch). A stable sort of the keys is the order. Only integer arithmetic is used,
and `numpy.random` is not, since NumPy reserves the right to change its streams.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigurationError

MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
LOW_WORD = np.uint64(0xFFFFFFFF)
WORD_BITS = np.uint64(32)


def philox(counters: NDArray[np.uint64], key: tuple[int, int]) -> NDArray[np.uint64]:
    """Philox4x32-10: 32-bit words as uint64, counters (4, n) to random words (4, n)."""
    first, second, third, fourth = counters
    low_key, high_key = key
    for _ in range(ROUNDS):
        left, right = MULTIPLIERS[0] * first, MULTIPLIERS[1] * third
        first, third = (
            (right >> WORD_BITS) ^ second ^ np.uint64(low_key),
            (left >> WORD_BITS) ^ fourth ^ np.uint64(high_key),
        )
        second, fourth = right & LOW_WORD, left & LOW_WORD
        low_key = (low_key + KEY_STEPS[0]) & 0xFFFFFFFF
        high_key = (high_key + KEY_STEPS[1]) & 0xFFFFFFFF
    return np.stack([first, second, third, fourth])


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
