"""Philox4x32-10: random numbers from a counter (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).

Only integer arithmetic, so the words are the same on every machine; each block depends on key and counter alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Words = np.ndarray[Any, np.dtype[np.uint64]]

MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
LOW_WORD = np.uint64(0xFFFFFFFF)
WORD_BITS = np.uint64(32)


def philox(counters: Words, key: tuple[int, int]) -> Words:
    """32-bit words held as uint64: counters (4, n) to random words (4, n)."""
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
