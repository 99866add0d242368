"""The order in which a loader takes examples: as they lie, all at random, or through a buffer.

A buffer of n examples is filled; then, again and again, a random one of them is taken and the next of the source put in
its place. Which one follows from (seed, epoch, how many were taken), so the numbers of the examples in the buffer at
any moment can be found again without reading them: a resumed run reads on from the oldest of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import field
from typing import Any

import numpy as np

from ..records import dataclass
from .nested import Nested
from .order import permutation, random_words
from .sources import Source

AT_ONCE = 4096
Taken = tuple[int, int, Nested]  # which of the epoch it is, its number in the source, the example


def in_order(source: Source, start: int) -> Iterator[Taken]:
    """From number `start` on, as they lie."""
    for place, example in enumerate(source.read(start), start):
        yield place, place, example


def at_random(source: Any, seed: int, epoch: int, start: int) -> Iterator[Taken]:
    """All in random order, from the one that comes `start`-th on; the source gives any example."""
    for turn, place in enumerate(permutation(source.length, seed, epoch)[start:].tolist(), start):
        yield turn, place, source.at(place)


@dataclass
class Buffer:
    """The numbers of the examples in the buffer, without the examples."""

    size: int
    seed: int
    epoch: int
    slots: list[int] = field(default_factory=list)
    turn: int = 0
    read: int = 0
    _words: list[int] = field(default_factory=list)

    def fill(self, number: int) -> bool:
        """Put an example in; whether the buffer is now full."""
        self.slots.append(number)
        self.read = number + 1
        return len(self.slots) >= self.size

    def take(self) -> int:
        """The number of the example that is taken next; the last slot's moves into its place."""
        if self.turn % AT_ONCE == 0 or not self._words:
            first = self.turn - self.turn % AT_ONCE
            self._words = random_words(np.arange(first, first + AT_ONCE), self.seed, self.epoch).tolist()
        slot = self._words[self.turn % AT_ONCE] % len(self.slots)
        self.turn += 1
        number, last = self.slots[slot], self.slots.pop()
        if slot < len(self.slots):
            self.slots[slot] = last
        return number


def through_buffer(
    source: Source, buffer: Buffer, start: int, length: int | None, learn: Callable[[int], None]
) -> Iterator[Taken]:
    """Through a buffer, from turn `start` on.

    length: of the source, needed to begin near its end; None if it isn't known yet: `learn` is told when it is.
    """
    _advance(buffer, start, length)
    oldest = min(buffer.slots, default=buffer.read)
    stream = enumerate(source.read(oldest), oldest)
    held: dict[int, Nested] = {}
    wanted = set(buffer.slots)
    for number, example in stream:
        is_new = number >= buffer.read
        if is_new or number in wanted:
            held[number] = example
        if is_new and buffer.fill(number):
            yield _one(buffer, held)
    learn(buffer.read)
    while buffer.slots:
        yield _one(buffer, held)


def _one(buffer: Buffer, held: dict[int, Nested]) -> Taken:
    turn, number = buffer.turn, buffer.take()
    return turn, number, held.pop(number)


def _advance(buffer: Buffer, start: int, length: int | None) -> None:
    """Bring a new buffer to where it is when `start` examples have been taken."""
    number = 0
    while buffer.turn < start:
        if length is None or number < length:
            full = buffer.fill(number)
            number += 1
            if not full:
                continue
        buffer.take()
