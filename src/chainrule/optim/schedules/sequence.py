"""Schedules one after the other, and the most common case: a warm-up before another schedule."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import ConfigurationError
from .. import checks
from ..optimizer import Optimizer
from .base import LRScheduler
from .decay import LinearLR
from .plateau import ReduceLROnPlateau


class SequentialLR(LRScheduler):
    """Each of `schedulers` in turn: the next one begins, at its epoch 0, at each epoch in `milestones`."""

    _not_saved = ("optimizer", "schedulers")

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int], last_epoch: int = -1
    ) -> None:
        _check(optimizer, schedulers, milestones)
        self.schedulers, self.milestones = list(schedulers), list(milestones)
        super().__init__(optimizer, last_epoch)

    def _advance(self) -> None:
        place = bisect_right(self.milestones, self.last_epoch + 1)
        starts = self.milestones[place - 1] == self.last_epoch + 1 if place else False
        if starts:
            self._set(self.last_epoch + 1)
            return
        self.last_epoch += 1
        self._follow(place, None)

    def _set(self, epoch: float) -> None:
        self.last_epoch = epoch
        place = bisect_right(self.milestones, epoch)
        self._follow(place, epoch - (self.milestones[place - 1] if place else 0))

    def _follow(self, place: int, epoch: float | None) -> None:
        active = self.schedulers[place]
        active.step(epoch)
        self._last_lr = active.get_last_lr()

    def state_dict(self) -> dict[str, Any]:
        """The state of all schedules too."""
        return super().state_dict() | {"schedulers": [each.state_dict() for each in self.schedulers]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore all schedules too."""
        given = dict(state_dict)
        inner = given.pop("schedulers", [])
        if len(inner) != len(self.schedulers):
            raise ConfigurationError(
                f"the state dict is of {len(inner)} schedules in a row, but here are {len(self.schedulers)}"
            )
        for schedule, state in zip(self.schedulers, inner):
            schedule.load_state_dict(state)
        expected = set(super().state_dict())
        if expected != set(given):
            raise ConfigurationError(
                f"the state dict is not one of SequentialLR: expected {', '.join(sorted(expected))}"
            )
        vars(self).update(given)


def _check(optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int]) -> None:
    if not schedulers or len(milestones) != len(schedulers) - 1:
        raise ConfigurationError(
            f"{len(schedulers)} schedules in a row need {max(len(schedulers) - 1, 0)} milestones between them, "
            f"but {len(milestones)} were given"
        )
    if list(milestones) != sorted(milestones):
        raise ConfigurationError(f"milestones must grow, but are {list(milestones)}")
    for place, schedule in enumerate(schedulers):
        if not isinstance(schedule, LRScheduler) or schedule.optimizer is not optimizer:
            raise ConfigurationError(f"schedule {place} is not one of this optimiser")
        if isinstance(schedule, ReduceLROnPlateau):
            raise ConfigurationError("ReduceLROnPlateau needs a measure at each step, so it can't be one in a row")


def with_warmup(schedule: LRScheduler, steps: int, start_factor: float = 0.01) -> LRScheduler:
    """`schedule` after a linear warm-up of `steps` steps from start_factor times its first rate.

    Source: Goyal et al. 2017, section 2.2.
    """
    checks.not_negative(steps=steps)
    if steps == 0:
        return schedule
    warmup = LinearLR(schedule.optimizer, start_factor, total_iters=steps)
    return SequentialLR(schedule.optimizer, [warmup, schedule], [steps])
