"""Sequences of different lengths in batches of few shapes, so that compiled code is made once for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ConfigurationError, DataError
from .nested import Nested
from .stream import stack_examples

IGNORED = -100


def pad(sequences: Sequence[ArrayLike], length: int | None = None, value: Any = 0) -> tuple[NDArray[Any], NDArray[Any]]:
    """Sequences (t, ...) of different lengths in one array (n, length, ...), filled up with `value`; and their lengths.

    length: the longest's by default. Raises DataError where one is longer, or their other axes differ.

    >>> pad([[1, 2, 3], [4]])[0].tolist(), pad([[1, 2, 3], [4]])[1].tolist()
    ([[1, 2, 3], [4, 0, 0]], [3, 1])
    """
    arrays = [np.asarray(each) for each in sequences]
    if not arrays:
        raise DataError("there are no sequences to pad")
    wrong = [place for place, each in enumerate(arrays) if each.ndim == 0 or each.shape[1:] != arrays[0].shape[1:]]
    if wrong:
        raise DataError(
            f"sequence {wrong[0]} has shape {arrays[wrong[0]].shape}: expected (length, ...) like the first, "
            f"{arrays[0].shape}"
        )
    lengths = np.array([len(each) for each in arrays], np.int64)
    wide = int(lengths.max()) if length is None else length
    if lengths.max() > wide:
        raise DataError(f"sequence {int(lengths.argmax())} has {int(lengths.max())} elements, more than length={wide}")
    padded = np.full((len(arrays), wide, *arrays[0].shape[1:]), value, np.result_type(*arrays))
    for row, each in zip(padded, arrays):
        row[: len(each)] = each
    return padded, lengths


def mask(lengths: ArrayLike, length: int) -> NDArray[np.bool_]:
    """Which elements of padded sequences are real: bool (n, length).

    >>> mask([2, 0], 3).tolist()
    [[True, True, False], [False, False, False]]
    """
    return np.arange(length)[None] < np.asarray(lengths)[:, None]


@dataclass
class Group:
    """Examples that become a batch, each with its number in the epoch and in the source."""

    turns: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    examples: list[Nested] = field(default_factory=list)
    edge: int = 0

    def add(self, turn: int, number: int, example: Nested) -> None:
        """One more."""
        self.turns.append(turn)
        self.numbers.append(number)
        self.examples.append(example)


@dataclass(frozen=True)
class Buckets:
    """For `loader(..., buckets=Buckets((16, 32, 64)))`: sequences of like length share a batch.

    edges: the lengths of padded sequences; each sequence goes to the smallest that holds it. value, target_value: what
    inputs, and targets that are sequences too, are filled up with (-100 is what cross_entropy passes over). lengths:
    whether the input becomes a pair (padded, lengths).
    """

    edges: tuple[int, ...]
    value: Any = 0
    target_value: Any = IGNORED
    lengths: bool = False

    def __post_init__(self) -> None:
        if not self.edges or list(self.edges) != sorted(set(self.edges)) or self.edges[0] < 1:
            raise ConfigurationError(f"edges are lengths that grow, such as (16, 32, 64), not {self.edges!r}")

    def edge_of(self, example: Nested) -> int:
        """The padded length of an example."""
        length = len(first_part(example))
        edge = next((edge for edge in self.edges if length <= edge), None)
        if edge is None:
            raise DataError(
                f"a sequence has {length} elements, more than the last bucket, {self.edges[-1]}: cut it first"
            )
        return edge

    def batch(self, group: Group) -> Nested:
        """A group as arrays: inputs padded, what else is of one length stacked."""
        parts = [each if isinstance(each, tuple) else (each,) for each in group.examples]
        padded, lengths = pad([each[0] for each in parts], group.edge, self.value)
        inputs = (padded, lengths) if self.lengths else padded
        if not isinstance(group.examples[0], tuple):
            return inputs
        return (
            inputs,
            *(self._further([each[place] for each in parts], group.edge) for place in range(1, len(parts[0]))),
        )

    def _further(self, column: list[Any], edge: int) -> Any:
        """What comes beside the sequence: numbers as they are, sequences filled up."""
        return np.asarray(column) if np.ndim(column[0]) == 0 else pad(column, edge, self.target_value)[0]


class Bucketed:
    """The examples that wait in each bucket for their batch to be full; without buckets all wait in one."""

    def __init__(self, buckets: Buckets | None, batch_size: int, drop_last: bool) -> None:
        self.buckets, self.batch_size, self.drop_last = buckets, batch_size, drop_last
        self.groups: dict[int, Group] = {}

    def add(self, turn: int, number: int, example: Nested) -> Group | None:
        edge = 0 if self.buckets is None else self.buckets.edge_of(example)
        group = self.groups.setdefault(edge, Group(edge=edge))
        group.add(turn, number, example)
        return self.groups.pop(edge) if len(group.turns) == self.batch_size else None

    def rest(self) -> Iterator[Group]:
        for edge in [] if self.drop_last else sorted(self.groups):
            yield self.groups.pop(edge)

    def waiting(self) -> list[int]:
        return sorted(turn for group in self.groups.values() for turn in group.turns)


def first_part(example: Nested) -> Any:
    """The sequence of an example (sequence, target, ...), or the example itself."""
    return example[0] if isinstance(example, tuple) else example


def as_batch(group: Group, buckets: Buckets | None) -> Nested:
    """A group as arrays."""
    return stack_examples(group.examples) if buckets is None else buckets.batch(group)
