"""Schedules that lower or raise the rate by a factor that is a simple function of the epoch."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Any

from ...errors import ConfigurationError
from .. import checks
from ..optimizer import Optimizer
from .base import LRScheduler, current_rate, for_each_group


class StepLR(LRScheduler):
    """The rate times gamma every `step_size` epochs.

    >>> import chainrule as cr
    >>> optimizer = cr.optim.SGD([cr.Parameter([1.0])], lr=1.0)
    >>> schedule = StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for epoch in range(4):
    ...     schedule.step()
    >>> schedule.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        checks.whole_and_positive(step_size=step_size)
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def _rate(self, base: float, epoch: float) -> float:
        return float(base * self.gamma ** (epoch // self.step_size))


class MultiStepLR(LRScheduler):
    """The rate times gamma at each of the epochs in `milestones`."""

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def _rate(self, base: float, epoch: float) -> float:
        return base * self.gamma ** bisect_right(self.milestones, epoch)


class ExponentialLR(LRScheduler):
    """The rate times gamma every epoch."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        checks.not_negative(gamma=gamma)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _rate(self, base: float, epoch: float) -> float:
        return float(base * self.gamma**epoch)


class ConstantLR(LRScheduler):
    """The rate times `factor` for the first `total_iters` epochs."""

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        _check_factor("factor", factor)
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def _rate(self, base: float, epoch: float) -> float:
        return base * self.factor if epoch < self.total_iters else base


class LinearLR(LRScheduler):
    """The rate times a factor that goes in a straight line from `start_factor` to `end_factor` in `total_iters` epochs.

    With the defaults a warm-up: from a third of the rate to all of it.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        _check_factor("start_factor", start_factor)
        _check_factor("end_factor", end_factor)
        checks.positive(start_factor=start_factor)
        checks.whole_and_positive(total_iters=total_iters)
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def _rate(self, base: float, epoch: float) -> float:
        done = min(self.total_iters, epoch) / self.total_iters
        return base * (self.start_factor + (self.end_factor - self.start_factor) * done)


class PolynomialLR(LRScheduler):
    """The rate times (1 - epoch / total_iters) to the power `power`; zero from there on."""

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        checks.whole_and_positive(total_iters=total_iters)
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def _rate(self, base: float, epoch: float) -> float:
        return float(base * (1.0 - min(self.total_iters, epoch) / self.total_iters) ** self.power)


class LambdaLR(LRScheduler):
    """The rate times `lr_lambda(epoch)`, a function of yours, or one for each parameter group.

    Functions are not part of the state dict.
    """

    _not_saved = ("optimizer", "lr_lambdas")

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[Any], float] | list[Callable[[Any], float]],
        last_epoch: int = -1,
    ) -> None:
        self.lr_lambdas = for_each_group("lr_lambda", optimizer, lr_lambda)
        super().__init__(optimizer, last_epoch)

    def _advance(self) -> None:
        self._set(self.last_epoch + 1)

    def _set(self, epoch: float) -> None:
        self.last_epoch = epoch
        self._write([float(base * each(epoch)) for base, each in zip(self.base_lrs, self.lr_lambdas)])


class MultiplicativeLR(LambdaLR):
    """The rate times `lr_lambda(epoch)` of every epoch so far, a function of yours, or one for each parameter group.

    Functions are not part of the state dict.
    """

    def _advance(self) -> None:
        self.last_epoch += 1
        groups = self.optimizer.param_groups
        self._write([current_rate(group) * each(self.last_epoch) for group, each in zip(groups, self.lr_lambdas)])

    def _set(self, epoch: float) -> None:
        self.last_epoch = epoch
        factors = [math.prod(each(k) for k in range(1, int(epoch) + 1)) for each in self.lr_lambdas]
        self._write([base * factor for base, factor in zip(self.base_lrs, factors)])


def _check_factor(name: str, factor: float) -> None:
    if not 0 <= factor <= 1:
        raise ConfigurationError(f"{name} must be between 0 and 1, but is {factor}")
