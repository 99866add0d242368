"""Batches of data that need not fit into memory, shuffled, augmented, and resumable at any batch."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..counts import checked_count
from ..errors import CheckpointError, ConfigurationError, DataError
from .batches import Position
from .buckets import Bucketed, Buckets, Group, as_batch
from .nested import Nested
from .shuffle import Buffer, Taken, at_random, in_order, through_buffer
from .sources import SequenceSource, as_source

if TYPE_CHECKING:
    from .augment import Augmentations, Transform


class Unchanged:
    """In place of `Augmentations` where there are none: that module would take a good part of `import chainrule`."""

    transforms: tuple[Transform, ...] = ()

    def __call__(self, batch: Nested, numbers: NDArray[np.int64], epoch: int) -> Nested:
        """The batch as it is."""
        return batch


class Loader:
    """Batches of a source, epoch after epoch; see `loader`. Each `for` loop over it is an epoch, or the rest of one."""

    def __init__(
        self,
        source: Any,
        batch_size: int = 64,
        shuffle: bool | int = False,
        seed: int = 0,
        drop_last: bool = False,
        augment: Iterable[Transform] = (),
        buckets: Buckets | None = None,
    ) -> None:
        checked_count("batch_size", batch_size)
        self.source = as_source(source)
        self.batch_size, self.seed, self.drop_last = int(batch_size), seed, bool(drop_last)
        self.shuffle = _checked_shuffle(shuffle, self.source)
        self.augmentations = _augmentations(tuple(augment), seed)
        self.buckets = buckets
        self.length = self.source.length
        self._gather = getattr(self.source, "gather", None) if buckets is None else None
        self._read = SequenceSource(range(self.length or 0)) if self._gather else self.source  # places alone
        self.position = Position(0, 0)
        self._taken, self._waiting = 0, list[int]()

    @property
    def batches(self) -> int | None:
        """Batches in one epoch, where that is known beforehand."""
        if self.source.length is None or self.buckets is not None:
            return None
        whole, rest = divmod(self.source.length, self.batch_size)
        return whole + (1 if rest and not self.drop_last else 0)

    def __iter__(self) -> Iterator[Nested]:
        epoch, known, waiting = self.position.epoch, self._taken, set(self._waiting)
        grouping = Bucketed(self.buckets, self.batch_size, self.drop_last)
        for turn, number, example in self._examples(epoch, min(waiting, default=known)):
            if turn < known and turn not in waiting:
                continue
            group = grouping.add(turn, number, example)
            self._taken = max(self._taken, turn + 1)
            if group is not None:
                yield self._hand_out(group, grouping)
        if self._taken == 0:
            raise DataError("the source has no examples")
        for group in grouping.rest():
            yield self._hand_out(group, grouping)
        self.position = Position(epoch + 1, 0)
        self._taken, self._waiting = 0, []

    def _hand_out(self, group: Group, grouping: Bucketed) -> Nested:
        epoch = self.position.epoch
        self.position = Position(epoch, self.position.batch + 1)
        self._waiting = grouping.waiting()
        numbers = np.array(group.numbers)
        batch = self._gather(numbers) if self._gather else as_batch(group, self.buckets)
        return self.augmentations(batch, numbers, epoch)

    def _examples(self, epoch: int, start: int) -> Iterator[Taken]:
        if self.shuffle is True:
            return at_random(self._read, self.seed, epoch, start)
        if self.shuffle:
            return through_buffer(self._read, Buffer(self.shuffle, self.seed, epoch), start, self.length, self._learn)
        return in_order(self._read, start)

    def _learn(self, length: int) -> None:
        self.length = length

    def state_dict(self) -> dict[str, Any]:
        """Where it stands, in a few numbers: fit for JSON."""
        place = {"epoch": self.position.epoch, "batch": self.position.batch, "taken": self._taken}
        return {**place, "waiting": list(self._waiting), "length": self.length, **self._identity}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken; raises CheckpointError where it is of a loader with other options."""
        for name, here in self._identity.items():
            if state.get(name) != here:
                raise CheckpointError(
                    f"the saved position is of a loader with {name}={state.get(name)!r}, but here it is {here!r}: "
                    "resume with the same options, or start a new run"
                )
        self.position = Position(int(state["epoch"]), int(state["batch"]))
        self._taken, self._waiting = int(state["taken"]), [int(turn) for turn in state["waiting"]]
        self.length = self.length if state["length"] is None else int(state["length"])

    @functools.cached_property
    def _identity(self) -> dict[str, Any]:
        return {
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "seed": int(self.seed),
            "drop_last": self.drop_last,
            "buckets": None if self.buckets is None else list(self.buckets.edges),
            "augment": repr(self.augmentations.transforms),
        }


def loader(
    source: Any,
    batch_size: int = 64,
    shuffle: bool | int = False,
    seed: int = 0,
    drop_last: bool = False,
    augment: Iterable[Transform] = (),
    buckets: Buckets | None = None,
) -> Loader:
    """Batches of a source that need not fit into memory, for a loop of your own or as `fit(data=...)`.

    source: arrays, a sequence (with a length and places, such as `image_files(folder)`), an iterable, a function that
        gives a new iterator for each epoch, or a Source such as `table_rows("sales.csv", encoder)`; one that has
        `at(place)` may be shuffled, and one that has `gather(places)` makes each batch itself.
    shuffle: True for any order, where examples can be had in any order; a number for a buffer of so many examples,
        out of which a random one is taken each time; the order follows from (seed, epoch) alone.
    augment: transforms of images (`Flip()`, `RandomCrop(4)`, ...); what they draw follows from seed, epoch and example.
    buckets: `Buckets((16, 32, 64))` for sequences of different lengths.
    `state_dict()` is the exact position; with the same source and options a resumed loader gives the same batches.

    >>> lines = loader(lambda: range(7), batch_size=3, shuffle=4, seed=1)
    >>> [batch.tolist() for batch in lines]
    [[0, 2, 1], [3, 4, 6], [5]]
    """
    return Loader(source, batch_size, shuffle, seed, drop_last, augment, buckets)


def _augmentations(transforms: tuple[Transform, ...], seed: int) -> Augmentations | Unchanged:
    if not transforms:
        return Unchanged()
    from .augment import Augmentations

    return Augmentations(transforms, seed)


def _checked_shuffle(shuffle: bool | int, source: Any) -> bool | int:
    if isinstance(shuffle, bool):
        if shuffle and not hasattr(source, "at"):
            raise ConfigurationError(
                "shuffle=True needs examples that can be had in any order, and a stream's come one after another: give "
                "the size of a buffer, such as shuffle=10_000"
            )
        return shuffle
    if not isinstance(shuffle, int | np.integer) or shuffle < 0:
        raise ConfigurationError(f"shuffle is False, True, or the size of a buffer, not {shuffle!r}")
    return int(shuffle) if shuffle else False
