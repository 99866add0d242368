"""Where the examples come from: arrays in an order fixed by seed, or a stream that is never held in memory."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from ..data import Batches, stream
from ..data.weights import ClassWeight, of_labels
from ..errors import DataError
from ..ir.types import NumpyArray
from .modes import Pace
from .validate import check_finite

FINGERPRINT_BYTES = 1 << 26


class Feed(Protocol):
    """Batches of one epoch after another, and where in them the run stands.

    A batch is (inputs, targets), or (inputs, targets, weights).
    """

    batches: int | None

    def epoch(self) -> Iterator[tuple[NumpyArray, ...]]: ...

    def done(self) -> int: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...

    def fingerprint(self) -> str: ...


class ArrayFeed:
    """Arrays in memory: inputs, targets and, where examples count differently, their weights."""

    def __init__(self, arrays: tuple[NumpyArray, ...], pace: Pace, seed: int, sampling: NumpyArray | None) -> None:
        self.arrays = arrays
        self.source = Batches(arrays, pace.batch_size, pace.shuffle, seed, weights=sampling)
        self.batches: int | None = len(self.source)

    @property
    def pair(self) -> tuple[NumpyArray, NumpyArray]:
        """Inputs and targets."""
        return self.arrays[0], self.arrays[1]

    def epoch(self) -> Iterator[tuple[NumpyArray, ...]]:
        """The batches of this epoch that are still to come."""
        yield from self.source

    def next_size(self) -> int:
        """Rows of the next batch of this epoch; 0 at its end."""
        start = self.source.position.batch * self.source.batch_size
        return min(self.source.batch_size, self.source.length - start) if start < self.source.length else 0

    def last_rows(self) -> NumpyArray:
        """Row numbers of the batch that was handed out last."""
        size = self.source.batch_size
        start = (self.source.position.batch - 1) * size
        return np.asarray(self.source.order()[start : start + size], np.int64)

    def rows(self, most: int) -> NumpyArray:
        """Row numbers of the next batches of this epoch, `most` of them at most, all equally large; none at its end."""
        position, size = self.source.position, self.source.batch_size
        whole = self.source.length // size
        count = min(most, whole - position.batch) if position.batch < whole else len(self.source) - position.batch
        start = position.batch * size
        if count <= 0:
            self.source.seek(position.epoch + 1)
            return np.empty(0, np.int64)
        found = self.source.order()[start : start + count * size]
        self.source.seek(position.epoch, position.batch + count)
        return np.asarray(found, np.int64)

    def weights_of(self, order: NumpyArray, rows: int) -> list[float] | None:
        """What the examples of each batch weigh together; None where they have no weights."""
        if len(self.arrays) < 3:
            return None
        weighed: list[float] = self.arrays[2][order].reshape(-1, rows).sum(axis=1, dtype=np.float64).tolist()
        return weighed

    def done(self) -> int:
        """How many batches of this epoch have been handed out."""
        return self.source.position.batch

    def state_dict(self) -> dict[str, Any]:
        """Where it stands."""
        return self.source.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.source.load_state_dict(state)

    def fingerprint(self) -> str:
        """Tells one data set from another: shapes, and a checksum of the first 64 MiB of each array."""
        parts = []
        for array in self.arrays:
            rows = max(1, FINGERPRINT_BYTES // max(1, array.nbytes // len(array)))
            parts.append(f"{array.dtype}{list(array.shape)}:{zlib.crc32(array[:rows].tobytes()):08x}")
        if self.source.shares is not None:
            parts.append(f"drawn by weights {zlib.crc32(self.source.shares.tobytes()):08x}")
        return " ".join(parts)


def weighed(arrays: tuple[NumpyArray, ...], class_weight: ClassWeight | None) -> tuple[NumpyArray, ...]:
    """A batch with the weights of its classes."""
    if class_weight is None:
        return arrays
    own = of_labels(arrays[1], class_weight).astype(np.float32)
    return (*arrays[:2], own if len(arrays) == 2 else own * arrays[2])


class StreamFeed:
    """Examples as they come in, each seen once. A resumed run passes over those it has seen."""

    batches: int | None = None

    def __init__(self, examples: Iterable[Any], pace: Pace, class_weight: ClassWeight | None) -> None:
        self.examples, self.batch_size, self.seen = examples, pace.batch_size, 0
        self.class_weight = class_weight

    def epoch(self) -> Iterator[tuple[NumpyArray, ...]]:
        """The batches still to come."""
        for batch in itertools.islice(stream(self.examples, self.batch_size), self.seen, None):
            if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
                raise DataError("a stream gives pairs (input, target), or (input, target, weight), one example each")
            arrays = tuple(np.asarray(part) for part in batch)
            check_finite(arrays[0], f"the inputs of batch {self.seen} of the stream")
            self.seen += 1
            yield weighed(arrays, self.class_weight)

    def done(self) -> int:
        """How many batches have been handed out."""
        return self.seen

    def state_dict(self) -> dict[str, Any]:
        """Where it stands."""
        return {"seen": self.seen, "batch_size": self.batch_size}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.seen = int(state["seen"])

    def fingerprint(self) -> str:
        """A stream can't be told from another."""
        return "stream"
