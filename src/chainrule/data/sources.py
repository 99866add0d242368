"""Where examples come from, one after another: sequences, iterables, whatever can begin at example number n."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .nested import Nested, common_length, is_container, map_leaves, to_arrays


@runtime_checkable
class Source(Protocol):
    """What a Loader reads. `length` is None where nobody knows it before the end."""

    length: int | None

    def read(self, start: int) -> Iterator[Nested]:
        """The examples from number `start` on; the same ones each time."""


class SequenceSource:
    """Anything with a length and places: a list, a lazy data set. Examples can be asked for in any order."""

    def __init__(self, sequence: Sequence[Any]) -> None:
        self.sequence = sequence
        self.length: int | None = len(sequence)

    def read(self, start: int) -> Iterator[Nested]:
        return (self.sequence[place] for place in range(start, len(self.sequence)))

    def at(self, place: int) -> Nested:
        """One example."""
        return self.sequence[place]


class ArraySource:
    """Arrays (a single one, or tuples, lists and dicts of them) with one row an example."""

    def __init__(self, arrays: Nested) -> None:
        self.arrays = to_arrays(arrays)
        self.length: int | None = common_length(self.arrays)

    def read(self, start: int) -> Iterator[Nested]:
        return (self.at(place) for place in range(start, self.length or 0))

    def at(self, place: int) -> Nested:
        """One example."""
        return map_leaves(lambda array: array[place], self.arrays)

    def gather(self, places: NDArray[np.int64]) -> Nested:
        """Many examples at once, which is faster than one by one."""
        return map_leaves(lambda array: array[places], self.arrays)


class IterableSource:
    """An iterable, or a function that gives a new iterator. One that can be run through only once gives one epoch."""

    length: int | None = None

    def __init__(self, examples: Iterable[Nested] | Callable[[], Iterable[Nested]]) -> None:
        self.examples = examples
        self.used = False

    def read(self, start: int) -> Iterator[Nested]:
        fresh = iter(self.examples() if callable(self.examples) else self.examples)
        if fresh is self.examples and self.used:
            raise DataError(
                "this stream has been run through and can't begin again: for more epochs give a function that makes a "
                "new iterator, such as lambda: read_lines(path)"
            )
        self.used = True
        return itertools.islice(fresh, start, None)


def as_source(given: Any) -> Source:
    """A source from what people have."""
    if isinstance(given, Source):
        return given
    if is_container(given) or hasattr(given, "__array__"):
        return ArraySource(given)
    if hasattr(given, "__len__") and hasattr(given, "__getitem__"):
        return SequenceSource(given)
    if callable(given) or hasattr(given, "__iter__"):
        return IterableSource(given)
    raise DataError(
        f"a loader reads arrays, a sequence, an iterable, a function that gives one, or a Source, "
        f"not {type(given).__name__}"
    )
