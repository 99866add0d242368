"""Learning-rate schedules by name, and when they move on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import ConfigurationError, unknown_name
from ..optim import Optimizer
from ..optim.schedules import (
    CosineAnnealingLR,
    CyclicLR,
    LinearLR,
    LRScheduler,
    OneCycleLR,
    ReduceLROnPlateau,
    StepLR,
    with_warmup,
)
from ..optim.schedules.base import current_rate
from ..records import dataclass


def _warmup_cosine(optimizer: Optimizer, steps: int) -> LRScheduler:
    warmup = max(1, steps // 20)
    return with_warmup(CosineAnnealingLR(optimizer, max(1, steps - warmup)), warmup)


BY_NAME: dict[str, Callable[[Optimizer, int], LRScheduler]] = {
    "cosine": lambda optimizer, steps: CosineAnnealingLR(optimizer, steps),
    "one-cycle": lambda optimizer, steps: OneCycleLR(optimizer, current_rate(optimizer.param_groups[0]), steps),
    "linear": lambda optimizer, steps: LinearLR(optimizer, 1.0, 0.0, steps),
    "step": lambda optimizer, steps: StepLR(optimizer, max(1, steps // 3)),
    "warmup-cosine": _warmup_cosine,
    "plateau": lambda optimizer, steps: ReduceLROnPlateau(optimizer),
}
"""Schedules over the whole training: how they are made from the optimiser and the number of steps."""


@dataclass
class Rate:
    """A schedule, and whether it moves on with each step or with each epoch."""

    schedule: LRScheduler | None
    each_step: bool

    def after_step(self) -> None:
        """An update has been made."""
        if self.schedule is not None and self.each_step:
            self.schedule.step()

    def after_epoch(self, monitored: float) -> None:
        """An epoch has ended; `monitored` is the loss to watch."""
        if self.schedule is None or self.each_step:
            return
        if isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step(monitored)
        else:
            self.schedule.step()


def as_rate(given: Any, optimizer: Optimizer, steps: int | None, each: str | None) -> Rate:
    """From None, a name, a schedule, or a function (optimizer, number of steps) -> schedule."""
    if each not in (None, "step", "epoch"):
        raise ConfigurationError(f"a schedule moves on with each 'step' or 'epoch', not {each!r}")
    if given is None:
        return Rate(None, False)
    if isinstance(given, str) and given not in BY_NAME:
        raise unknown_name("schedule", given, BY_NAME)
    made = BY_NAME[given] if isinstance(given, str) else given
    if not isinstance(made, LRScheduler):
        if steps is None:
            raise ConfigurationError(
                "a schedule over the whole training needs to know its length, which a stream has not"
            )
        made = made(optimizer, steps)
    if made.optimizer is not optimizer:
        raise ConfigurationError("the schedule was made for another optimizer than the one that trains")
    plateau = isinstance(made, ReduceLROnPlateau)
    by_itself = not plateau and (
        isinstance(given, str) or isinstance(made, CyclicLR | OneCycleLR) or not isinstance(given, LRScheduler)
    )
    return Rate(made, by_itself if each is None else each == "step")
