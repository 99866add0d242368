"""Recorders: readers of a training while it runs. They see weights and figures, and change no bit of the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from .. import random
from ..ir.types import NumpyArray
from .step import TrainingStep


@dataclass(frozen=True, eq=False)
class Recorded:
    """The training that recorders read. data, validation: (inputs, targets); data is None for a stream."""

    training: TrainingStep
    data: tuple[NumpyArray, NumpyArray] | None
    validation: tuple[NumpyArray, NumpyArray] | None
    batch_size: int
    epochs: int
    directory: Path | None


class Recorder(Protocol):
    """What `fit(recorders=[...])` takes. `name` tells recorders of one run apart in its checkpoint."""

    name: str

    def begin(self, run: Recorded, step: int) -> None:
        """Before the first step, or before the run goes on after `step` weight updates."""

    def next_look(self, step: int) -> int | None:
        """After how many weight updates, more than `step`, it wants to look; None for never."""

    def look(self, step: int, epoch: int) -> None:
        """`step` weight updates are done; the epoch counts from 1."""

    def losses(self, step: int, epoch: int, losses: Sequence[float]) -> None:
        """The losses of steps that are done; the last of them was update number `step`."""

    def end_epoch(self, row: Mapping[str, Any]) -> None:
        """The figures of an epoch."""

    def save(self) -> None:
        """A checkpoint is written: write what was recorded too."""

    def state_dict(self) -> dict[str, Any]:
        """What is needed to go on, for the checkpoint."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave; called after `begin`."""


class QuietRecorder:
    """A recorder that does nothing; a base for those that do something."""

    name = "quiet"

    def begin(self, run: Recorded, step: int) -> None:
        pass

    def next_look(self, step: int) -> int | None:
        return None

    def look(self, step: int, epoch: int) -> None:
        pass

    def losses(self, step: int, epoch: int, losses: Sequence[float]) -> None:
        pass

    def end_epoch(self, row: Mapping[str, Any]) -> None:
        pass

    def save(self) -> None:
        pass

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        pass


class Recorders:
    """All recorders of a run; random numbers are afterwards as they were before."""

    def __init__(self, recorders: Sequence[Recorder]) -> None:
        self.all = tuple(recorders)

    def begin(self, run: Recorded, step: int) -> None:
        """See Recorder."""
        with random.kept():
            for each in self.all:
                each.begin(run, step)

    def steps_to_look(self, step: int, most: int) -> int:
        """How many of `most` steps may be done before one of them looks."""
        looks = [look - step for each in self.all if (look := each.next_look(step)) is not None]
        return max(1, min([most, *looks]))

    def after(self, before: int, step: int, epoch: int, losses: Sequence[float]) -> None:
        """Steps were done: those who asked for it look."""
        if not self.all:
            return
        with random.kept():
            for each in self.all:
                each.losses(step, epoch, losses)
                if each.next_look(before) == step:
                    each.look(step, epoch)

    def end_epoch(self, row: Mapping[str, Any]) -> None:
        """See Recorder."""
        for each in self.all:
            each.end_epoch(row)

    def save(self) -> None:
        """See Recorder."""
        for each in self.all:
            each.save()

    def state_dict(self) -> dict[str, Any]:
        """Of each by its name."""
        return {each.name: each.state_dict() for each in self.all}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Of those that were there."""
        for each in self.all:
            if each.name in saved:
                each.load_state_dict(saved[each.name])
