"""Random bits from a counter, and distributions made of them. On Values.

`random_bits(state, shape)`: state is uint32[4], the seed (low, high) and the number of the draw (low, high). Element i
is word i mod 4 of block i div 4, and depends on nothing else: not on threads, not on what was drawn before.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import DtypeError, ShapeError
from ..ir.build import constant, splat
from ..ir.graph import Value
from ..ir.primitive import DISCRETE, Primitive, Sample, register
from ..ir.types import ArrayType, DType, NumpyArray, Shape, bool_, float32, float64, int64, uint32, uint64
from . import elementwise as ew
from .arrays import argsort
from .operators import astype, binary, lift, reshape
from .philox import LOW_WORD, WORD_BITS, philox
from .running import roll
from .structure import narrow

WORDS_OF_STATE = 4
BLOCKS_AT_ONCE = 4096
"""So that all ten rounds find their words in a cache."""


def _random_bits_type(state: ArrayType, *, shape: Shape) -> ArrayType:
    if state != ArrayType((WORDS_OF_STATE,), uint32):
        raise ShapeError(f"random_bits needs a state of type uint32[4], but was given {state}")
    return ArrayType(shape, uint32)


def _random_bits(state: NumpyArray, *, shape: Shape) -> Any:
    count = math.prod(shape)
    words = np.empty((-(-count // 4), 4), np.uint32)
    for first in range(0, len(words), BLOCKS_AT_ONCE):
        part = words[first : first + BLOCKS_AT_ONCE]
        block = np.arange(first, first + len(part), dtype=np.uint64)
        counters = np.empty((4, len(part)), np.uint64)
        counters[0], counters[1] = block & LOW_WORD, block >> WORD_BITS
        counters[2], counters[3] = state[2], state[3]
        part[...] = philox(counters, (int(state[0]), int(state[1]))).T
    return words.reshape(-1)[:count].reshape(shape)


def _random_bits_samples() -> Iterator[Sample]:
    for shape in ((), (1,), (0,), (5,), (2, 3, 4)):
        yield Sample((np.array([1, 2, 3, 4], np.uint32),), {"shape": shape})
    yield Sample((np.full(8, 2**32 - 1, np.uint32)[::2],), {"shape": (9,)})


random_bits = register(
    Primitive("random_bits", _random_bits_type, _random_bits, DISCRETE, "bits({0}; {shape})", _random_bits_samples)
)


def seeded_state(seed: int, draw: int = 0) -> NumpyArray:
    """The state of a generator: uint32[4]."""
    words = (seed & 0xFFFFFFFF, seed >> 32, draw & 0xFFFFFFFF, draw >> 32)
    return np.array(words, np.uint32)


def advanced(state: Any) -> Value:
    """The state of the next draw: the draw number plus one, with carry from the low word to the high."""
    value = lift(state)
    full = binary(ew.equal)(value, constant(np.full(WORDS_OF_STATE, 2**32 - 1, np.uint32)))
    carry = roll(ew.bitwise_and(full, constant(np.array([False, False, True, False]))), 1)
    return value + constant(np.array([0, 0, 1, 0], np.uint32)) + astype(carry, uint32)


# -- distributions


def unit(state: Any, shape: Shape, dtype: DType) -> Value:
    """Uniform in [0, 1): 24 random bits in float32, 53 in float64."""
    if dtype == float32:
        bits = ew.bitwise_right_shift(random_bits(lift(state), shape=shape), _word(8, shape))
        return astype(bits, float32) * 2.0**-24
    if dtype != float64:
        raise DtypeError(f"random numbers are float32 or float64, not {dtype}")
    words = random_bits(lift(state), shape=(2, *shape))
    high = astype(ew.bitwise_right_shift(words, _word(5, words.shape)), float64)
    low = astype(ew.bitwise_right_shift(words, _word(6, words.shape)), float64)
    first, second = narrow(high, 0, 0, 1), narrow(low, 0, 1, 2)
    return reshape((first * 2.0**26 + second) * 2.0**-53, shape)


def _word(number: int, shape: Shape) -> Value:
    return constant(np.broadcast_to(np.uint32(number), shape))


def uniform(state: Any, shape: Shape, low: float, high: float, dtype: DType) -> Value:
    """Uniform in [low, high)."""
    numbers = unit(state, shape, dtype)
    return numbers if (low, high) == (0, 1) else numbers * (high - low) + low


def normal(state: Any, shape: Shape, mean: float, std: float, dtype: DType) -> Value:
    """Normal, by Box and Muller (1958): it needs only log, sqrt and cos, and no rejection."""
    both = unit(state, (2, *shape), dtype)
    radius = ew.sqrt(ew.log(1 - narrow(both, 0, 0, 1)) * -2.0)
    numbers = reshape(radius * ew.cos(narrow(both, 0, 1, 2) * (2 * math.pi)), shape)
    return numbers * std + mean


def truncated_normal(state: Any, shape: Shape, mean: float, std: float, low: float, high: float, dtype: DType) -> Value:
    """Normal, cut to [low, high], by the inverse of its distribution function."""
    below, above = (math.erf((edge - mean) / std / math.sqrt(2)) for edge in (low, high))
    inner = unit(state, shape, float64) * (above - below) + below
    edge = 1 - 2.0**-53
    inner = ew.minimum(ew.maximum(inner, _same(-edge, inner)), _same(edge, inner))
    numbers = ew.erfinv(inner) * (std * math.sqrt(2)) + mean
    return astype(ew.minimum(ew.maximum(numbers, _same(low, numbers)), _same(high, numbers)), dtype)


def _same(number: float, like: Value) -> Value:
    return constant(np.broadcast_to(np.asarray(number, like.dtype), like.shape))


def exponential(state: Any, shape: Shape, rate: float, dtype: DType) -> Value:
    """Exponential of rate `rate`."""
    numbers: Value = ew.log(1 - unit(state, shape, dtype)) * (-1.0 / rate)
    return numbers


def gumbel(state: Any, shape: Shape, dtype: DType) -> Value:
    """Standard Gumbel numbers: the largest of x + these is drawn with the probabilities softmax(x)."""
    waiting = exponential(state, shape, 1.0, dtype)
    least = splat(2.0**-25, waiting.type)  # half of the smallest that is drawn beside 0
    result: Value = -ew.log(ew.maximum(waiting, least))
    return result


def bernoulli(state: Any, p: Any, shape: Shape) -> Value:
    """True with probability p, as bools; p a number or an array that broadcasts to `shape`."""
    dtype = float64 if getattr(p, "dtype", None) == float64 else float32
    result: Value = binary(ew.less)(unit(state, shape, dtype), p)
    return result


def randint(state: Any, low: int, high: int, shape: Shape) -> Value:
    """Integers from low to high - 1, int64. Each is a 64-bit word modulo the width: the bias is below width / 2^64."""
    words = astype(random_bits(lift(state), shape=(2, *shape)), uint64)
    shift = constant(np.broadcast_to(np.uint64(32), (1, *shape)))
    wide = ew.bitwise_or(ew.bitwise_left_shift(narrow(words, 0, 0, 1), shift), narrow(words, 0, 1, 2))
    width = constant(np.broadcast_to(np.uint64(high - low), wide.shape))
    return reshape(astype(ew.remainder(wide, width), int64), shape) + low


def permutation(state: Any, length: int) -> Value:
    """The integers 0 to length - 1 in random order: a stable sort of 64-bit keys."""
    words = astype(random_bits(lift(state), shape=(2, length)), uint64)
    shift = constant(np.broadcast_to(np.uint64(32), (1, length)))
    keys = ew.bitwise_or(ew.bitwise_left_shift(narrow(words, 0, 0, 1), shift), narrow(words, 0, 1, 2))
    return argsort(reshape(keys, (length,)))


def keep_mask(state: Any, p: float, shape: Shape) -> Value:
    """For dropout: false with probability p. Compares the bits themselves, so the mask has no type of its own."""
    threshold = constant(np.broadcast_to(np.uint32(min(round(p * 2**32), 2**32 - 1)), shape))
    result: Value = ew.greater_equal(random_bits(lift(state), shape=shape), threshold)
    return astype(result, bool_)
