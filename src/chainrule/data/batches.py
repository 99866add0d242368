"""Mini-batches of arrays, in an order fixed by seed and epoch, and resumable in mid-epoch."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..counts import checked_count
from ..errors import CheckpointError, ConfigurationError, DataError
from .nested import Array, Nested, common_length, map_leaves, to_arrays
from .order import draws, permutation
from .weights import checked_weights


@dataclass(frozen=True, slots=True)
class Position:
    """Where a run stands in its data: the epoch, and the batch that comes next in it."""

    epoch: int
    batch: int


class Batches:
    """Mini-batches of one data set, epoch after epoch. Each `for` loop over it is one epoch (or the rest of one).

    The position counts batches handed out: while batch 3 is being worked on, it says that batch 4 comes next. It moves
    to the next epoch when the loop asks for a batch after the last. Unshuffled batches are read-only views of the data.

    >>> loader = Batches((np.arange(5), np.arange(5) * 2), batch_size=2)
    >>> [labels.tolist() for numbers, labels in loader]
    [[0, 2], [4, 6], [8]]
    >>> loader.position
    Position(epoch=1, batch=0)
    """

    def __init__(
        self,
        arrays: Nested,
        batch_size: int = 64,
        shuffle: bool = False,
        seed: int = 0,
        epoch: int = 0,
        drop_last: bool = False,
        start: int = 0,
        weights: ArrayLike | None = None,
    ) -> None:
        checked_count("batch_size", batch_size)
        checked_count("epoch", epoch, least=0)
        self.arrays = to_arrays(arrays)
        self.length = common_length(self.arrays)
        self.batch_size = int(batch_size)
        self.shuffle = bool(shuffle)
        self.seed = seed
        self.shares = None if weights is None else _shares(weights, self.length, shuffle)
        self.drop_last = bool(drop_last)
        if len(self) == 0:
            raise DataError(
                f"drop_last leaves no batch: {self.length} examples are fewer than one batch of {batch_size}; "
                "use a smaller batch_size or drop_last=False"
            )
        self.position = Position(0, 0)
        self._order_of: tuple[int, NDArray[np.int64]] | None = None
        self.seek(epoch, start)

    def __len__(self) -> int:
        """Batches in one epoch."""
        whole, rest = divmod(self.length, self.batch_size)
        return whole + (1 if rest and not self.drop_last else 0)

    def __iter__(self) -> Iterator[Nested]:
        while self.position.batch < len(self):
            number = self.position.batch
            self.position = Position(self.position.epoch, number + 1)
            yield self.batch(number)
        self.position = Position(self.position.epoch + 1, 0)

    def batch(self, number: int) -> Nested:
        """Batch `number` of the present epoch; the position stays."""
        rows = slice(number * self.batch_size, (number + 1) * self.batch_size)
        if not self.shuffle:
            return map_leaves(lambda array: _read_only(array[rows]), self.arrays)
        indices = self.order()[rows]
        return map_leaves(lambda array: array[indices], self.arrays)

    def order(self) -> NDArray[np.int64]:
        """The present epoch's order of the examples: int64 indices (length,)."""
        epoch = self.position.epoch
        if not self.shuffle:
            return np.arange(self.length, dtype=np.int64)
        if self._order_of is None or self._order_of[0] != epoch:
            self._order_of = (epoch, self._new_order(epoch))
        return self._order_of[1]

    def _new_order(self, epoch: int) -> NDArray[np.int64]:
        if self.shares is None:
            return permutation(self.length, self.seed, epoch)
        return draws(self.length, self.shares, self.seed, epoch)

    def seek(self, epoch: int, batch: int = 0) -> None:
        """Go to a batch of an epoch; raises ConfigurationError where the epoch has no such batch."""
        checked_count("epoch", epoch, least=0)
        checked_count("start", batch, least=0)
        if batch > len(self):
            raise ConfigurationError(f"there is no batch {batch} to start at: an epoch has {len(self)} batches")
        self.position = Position(int(epoch), int(batch))

    def state_dict(self) -> dict[str, int | bool]:
        """The position, and what must stay the same for it to mean the same; plain numbers, fit for JSON."""
        return {"epoch": self.position.epoch, "batch": self.position.batch, **self._identity}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken; raises CheckpointError where it belongs to other data or another order."""
        for name, here in self._identity.items():
            if name not in state:
                raise CheckpointError(f"the saved data position lacks {name!r}: it has {sorted(state)}")
            if state[name] != here:
                raise CheckpointError(
                    f"the saved data position is of a run with {name} {state[name]!r}, but here it is {here!r}: "
                    "resume with the same data and the same options, or start a new run"
                )
        try:
            self.seek(state["epoch"], state["batch"])
        except (KeyError, ConfigurationError) as error:
            raise CheckpointError(f"the saved data position is damaged: {error}") from error

    @functools.cached_property
    def _identity(self) -> dict[str, int | bool]:
        drawn = {} if self.shares is None else {"weights": zlib.crc32(self.shares.tobytes())}
        return {
            "length": self.length,
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "seed": int(self.seed),
            "drop_last": self.drop_last,
            **drawn,
        }


def batches(
    arrays: Nested,
    batch_size: int = 64,
    shuffle: bool = False,
    seed: int = 0,
    epoch: int = 0,
    drop_last: bool = False,
    start: int = 0,
    weights: ArrayLike | None = None,
) -> Batches:
    """Mini-batches of arrays (a single one, or tuples, lists and dicts of them, nested), along axis 0.

    With `shuffle`, the order follows from (seed, epoch) alone and is the same on every machine. `start` is the
    number of the first batch. The result has a length, and each further loop over it is the next epoch.
    `weights` (with shuffle): one number an example; an epoch is then as many draws with replacement, each example as
    often as its weight says (`class_weights` makes rare classes come as often as common ones).
    Raises DataError where the arrays differ in length or are empty, ConfigurationError on a bad option.

    >>> for images, labels in batches((np.zeros((5, 4)), np.arange(5)), batch_size=2, shuffle=True, seed=0):
    ...     print(images.shape, labels)
    (2, 4) [2 0]
    (2, 4) [3 4]
    (1, 4) [1]
    """
    return Batches(arrays, batch_size, shuffle, seed, epoch, drop_last, start, weights)


def _shares(weights: ArrayLike, length: int, shuffle: bool) -> NDArray[np.float64]:
    if not shuffle:
        raise ConfigurationError("weights say how often an example is drawn at random: they need shuffle=True")
    return checked_weights(weights, length, "weights")


def _read_only(view: Array) -> Array:
    view.flags.writeable = False
    return view
