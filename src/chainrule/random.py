"""Random numbers that are the same on every machine: counter-based, from a seed and the number of the draw.

A `Generator` holds four words: the seed and how many draws it has made. Each call is one draw. Functions of this module
draw from `default_generator` unless given another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from .errors import CheckpointError, ConfigurationError
from .functions import argmax
from .ir.build import recording
from .ir.graph import Value
from .ir.types import NumpyArray, Shape, as_dtype, float32, is_bfloat16, normalize_axis
from .ops import random as bits
from .tensor import Tensor, asarray, unwrap, wrap


class Generator:
    """A source of random numbers. Its state is a tensor of type uint32[4], replaced at each draw.

    >>> generator = Generator(seed=0)
    >>> uniform(2, generator=generator).shape
    (2,)
    """

    def __init__(self, seed: int = 0) -> None:
        self.state = Tensor(bits.seeded_state(_checked_seed(seed)))

    def manual_seed(self, seed: int) -> Generator:
        """Start again from a seed."""
        self.state.assign(bits.seeded_state(_checked_seed(seed)))
        return self

    def get_state(self) -> NumpyArray:
        """Everything it is, as uint32[4]: a copy."""
        return np.array(self.state.numpy())

    def set_state(self, state: Any) -> None:
        """Go on from what `get_state` gave."""
        array = np.asarray(state)
        if array.shape != (bits.WORDS_OF_STATE,) or array.dtype != np.uint32:
            raise CheckpointError(f"a generator's state is uint32[4], but was given {array.dtype}{list(array.shape)}")
        self.state.assign(array)

    def draw(self, function: Callable[..., Value], *arguments: Any) -> Tensor:
        """One draw: `function(state, *arguments)`, and the state moves on."""
        with recording(False):
            result: Tensor = wrap(function(self.state._value, *arguments))
            self.state.assign(wrap(bits.advanced(self.state._value)))
        return result

    def draw_bits(self, shape: int | Sequence[int]) -> Tensor:
        """Uniform 32-bit words, uint32."""
        return self.draw(lambda state, wanted: bits.random_bits(state, shape=wanted), _shape(shape))


def _checked_seed(seed: int) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**64:
        raise ConfigurationError(f"a seed is an integer from 0 to 2**64 - 1, not {seed!r}")
    return int(seed)


default_generator = Generator(0)


def manual_seed(seed: int) -> Generator:
    """Seed the default generator, and give it."""
    return default_generator.manual_seed(seed)


@contextmanager
def kept(seed: int | None = None) -> Iterator[None]:
    """For a `with`: afterwards the default generator goes on as if nothing had been. seed: what it begins from there.

    >>> with kept(seed=1):
    ...     inside = uniform(2)
    >>> with kept(seed=1):
    ...     bool((uniform(2) == inside).all())
    True
    """
    before = default_generator.get_state()
    try:
        if seed is not None:
            manual_seed(seed)
        yield
    finally:
        default_generator.set_state(before)


def _draw(generator: Generator | None, function: Callable[..., Value], *arguments: Any) -> Tensor:
    last = arguments[-1]
    if isinstance(last, np.dtype) and is_bfloat16(last):
        rounded: Tensor = _draw(generator, function, *arguments[:-1], float32).astype(last)
        return rounded
    return (generator or default_generator).draw(function, *arguments)


def _shape(shape: int | Sequence[int]) -> Shape:
    return (int(shape),) if isinstance(shape, int | np.integer) else tuple(int(size) for size in shape)


def uniform(
    shape: int | Sequence[int] = (),
    low: float = 0.0,
    high: float = 1.0,
    dtype: Any = None,
    generator: Generator | None = None,
) -> Tensor:
    """Uniform in [low, high); float32 unless dtype says otherwise."""
    return _draw(generator, bits.uniform, _shape(shape), low, high, as_dtype(dtype or float32))


def normal(
    shape: int | Sequence[int] = (),
    mean: float = 0.0,
    std: float = 1.0,
    dtype: Any = None,
    generator: Generator | None = None,
) -> Tensor:
    """Normal with the mean and standard deviation given; float32 unless dtype says otherwise."""
    return _draw(generator, bits.normal, _shape(shape), mean, std, as_dtype(dtype or float32))


def truncated_normal(
    shape: int | Sequence[int] = (),
    mean: float = 0.0,
    std: float = 1.0,
    low: float = -2.0,
    high: float = 2.0,
    dtype: Any = None,
    generator: Generator | None = None,
) -> Tensor:
    """Normal, cut to [low, high]."""
    return _draw(generator, bits.truncated_normal, _shape(shape), mean, std, low, high, as_dtype(dtype or float32))


def exponential(
    shape: int | Sequence[int] = (), rate: float = 1.0, dtype: Any = None, generator: Generator | None = None
) -> Tensor:
    """Exponential with mean 1 / rate."""
    return _draw(generator, bits.exponential, _shape(shape), rate, as_dtype(dtype or float32))


def gumbel(shape: int | Sequence[int] = (), dtype: Any = None, generator: Generator | None = None) -> Tensor:
    """Standard Gumbel numbers, -log(-log(u)) of uniform u; float32 unless dtype says otherwise."""
    return _draw(generator, bits.gumbel, _shape(shape), as_dtype(dtype or float32))


def categorical(
    logits: Any, axis: int = -1, shape: int | Sequence[int] = (), generator: Generator | None = None
) -> Tensor:
    """Classes, int64, drawn with the probabilities softmax(logits) along `axis`; logits are log-probabilities.

    shape: how many are drawn for each row, in front of the shape of what is left of logits.

    >>> categorical([0.0, float("-inf")], shape=3).tolist()
    [0, 0, 0]
    """
    given = asarray(logits)
    place = normalize_axis(axis, given.ndim)
    noise = gumbel((*_shape(shape), *given.shape), given.dtype if given.dtype.kind == "f" else None, generator)
    result: Tensor = argmax(given + noise, axis=place - given.ndim)
    return result


def bernoulli(p: Any, shape: int | Sequence[int] | None = None, generator: Generator | None = None) -> Tensor:
    """True with probability p, as bools; of the shape of p unless one is given."""
    wanted = np.shape(p) if shape is None else _shape(shape)
    return _draw(generator, bits.bernoulli, unwrap(p), wanted)


def randint(low: int, high: int, shape: int | Sequence[int] = (), generator: Generator | None = None) -> Tensor:
    """Integers from low up to, not including, high; int64."""
    if high <= low:
        raise ConfigurationError(f"randint draws from low to high - 1, which is empty for low={low}, high={high}")
    return _draw(generator, bits.randint, low, high, _shape(shape))


def permutation(n: int, generator: Generator | None = None) -> Tensor:
    """The integers 0 to n - 1 in random order."""
    return _draw(generator, bits.permutation, n)


def keep_mask(p: float, shape: Sequence[int], generator: Generator | None = None) -> Tensor:
    """For dropout: bools that are false with probability p."""
    return _draw(generator, bits.keep_mask, p, _shape(shape))


def states(shape: Sequence[int], generator: Generator | None = None) -> Tensor:
    """One draw of states, uint32 (*shape, 4): each a source of its own, for the rounds of a loop."""
    return (generator or default_generator).draw_bits((*shape, bits.WORDS_OF_STATE))


def keep_mask_of(state: Tensor, p: float, shape: Sequence[int]) -> Tensor:
    """For dropout in a loop: bools that are false with probability p, by one of `states`."""
    with recording(False):
        result: Tensor = wrap(bits.keep_mask(unwrap(state), p, _shape(shape)))
    return result
