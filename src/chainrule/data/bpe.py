"""Byte-pair encoding (Sennrich et al. 2016, on bytes as in GPT-2): frequent pieces of words become tokens."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigurationError, DataError
from .text import PADDING, Tokenizer

PIECES = re.compile(r" ?\w+| ?[^\w\s]+|\s+(?!\S)|\s+")  # a word takes the blank before it along; no merge crosses these
BYTES = 256
Pair = tuple[int, int]


class BytePairTokenizer(Tokenizer):
    """Pieces of words, learnt from texts; any text can be encoded and comes back the same.

    Number 0 is padding, 1 to 256 are the bytes, the rest are merges of two tokens in the order they were learnt.

    >>> pieces = BytePairTokenizer.train(["low lower lowest", "low low"], size=261)
    >>> [pieces.decode([number]) for number in pieces.encode("lowest low")]
    ['low', 'e', 's', 't', ' low']
    """

    kind = "byte pairs"

    def __init__(self, merges: Sequence[Pair]) -> None:
        self.merges = [(int(first), int(second)) for first, second in merges]
        self.ranks = {pair: place for place, pair in enumerate(self.merges)}
        pieces: list[bytes] = [b"", *(bytes([byte]) for byte in range(BYTES))]
        for first, second in self.merges:
            if not (0 < first < len(pieces) and 0 < second < len(pieces)):
                raise DataError(f"the merge of {first} and {second} comes before these tokens are made")
            pieces.append(pieces[first] + pieces[second])
        self.pieces = pieces
        self._known: dict[str, list[int]] = {}
        super().__init__((PADDING, *range(1, len(pieces))))

    @classmethod
    def train(cls, texts: Iterable[str], size: int) -> Self:
        """Learn merges until there are `size` tokens, or no pair comes twice.

        The most frequent pair of neighbours becomes a token, again and again; of equally frequent ones that with the
        smallest numbers: so the same texts give the same tokens everywhere.
        """
        if size <= BYTES:
            raise ConfigurationError(
                f"size counts padding and the {BYTES} bytes: expected at least {BYTES + 1}, not {size}"
            )
        counts = Counter(piece for text in texts for piece in PIECES.findall(text))
        return cls(_learnt(counts, size - BYTES - 1))

    def encode(self, text: str) -> NDArray[np.int64]:
        found = [number for piece in PIECES.findall(text) for number in self._numbers(piece)]
        return np.array(found, np.int64)

    def _numbers(self, piece: str) -> list[int]:
        if piece not in self._known:
            self._known[piece] = self._merged([byte + 1 for byte in piece.encode("utf-8")])
        return self._known[piece]

    def _merged(self, numbers: list[int]) -> list[int]:
        """Merge the pair that was learnt first, again and again."""
        while len(numbers) > 1:
            rank, pair = min((self.ranks.get(pair, len(self.ranks)), pair) for pair in pairwise(numbers))
            if rank == len(self.ranks):
                break
            numbers = _joined(numbers, pair, BYTES + 1 + rank)
        return numbers

    def decode(self, numbers: Iterable[int]) -> str:
        return b"".join(self.pieces[number] for number in self._checked(numbers)).decode("utf-8", errors="replace")

    def state(self) -> dict[str, Any]:
        return {"merges": self.merges}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        return cls(state["merges"])


def _learnt(counts: Counter[str], most: int) -> list[Pair]:
    """The merges; only words that hold the merged pair are looked at again."""
    words = [[byte + 1 for byte in piece.encode("utf-8")] for piece in counts]
    times = list(counts.values())
    pairs: Counter[Pair] = Counter()
    places: defaultdict[Pair, set[int]] = defaultdict(set)
    for place, word in enumerate(words):
        _count(word, times[place], place, pairs, places)
    merges: list[Pair] = []
    while len(merges) < most and pairs:
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        if pairs[best] < 2:
            break
        for place in sorted(places[best]):
            _count(words[place], -times[place], place, pairs, places)
            words[place] = _joined(words[place], best, BYTES + 1 + len(merges))
            _count(words[place], times[place], place, pairs, places)
        merges.append(best)
    return merges


def _count(word: list[int], times: int, place: int, pairs: Counter[Pair], places: defaultdict[Pair, set[int]]) -> None:
    """Add a word's pairs to the counts, or with negative times take them away."""
    for pair in pairwise(word):
        pairs[pair] += times
        if times > 0:
            places[pair].add(place)
        elif pairs[pair] <= 0:
            del pairs[pair]
            places[pair].discard(place)
        else:
            places[pair].discard(place)


def _joined(numbers: list[int], pair: Pair, merged: int) -> list[int]:
    """The pair replaced by one number wherever it stands, from the left."""
    found: list[int] = []
    place = 0
    while place < len(numbers):
        if tuple(numbers[place : place + 2]) == pair:
            found.append(merged)
            place += 2
        else:
            found.append(numbers[place])
            place += 1
    return found
