"""Schedules that follow half a cosine wave."""

from __future__ import annotations

import math

from .. import checks
from ..optimizer import Optimizer
from .base import LRScheduler


def cosine(start: float, end: float, done: float) -> float:
    """From start to end along half a cosine wave; done from 0 to 1."""
    return end + (start - end) * (1 + math.cos(math.pi * done)) / 2


class CosineAnnealingLR(LRScheduler):
    """From the rate at the start to `eta_min` in `T_max` epochs along a cosine (Loshchilov and Hutter 2017, eq. 5).

    After T_max it goes up again, and so on.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        checks.whole_and_positive(T_max=T_max)
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def _rate(self, base: float, epoch: float) -> float:
        return cosine(base, self.eta_min, epoch / self.T_max)

    def _floor(self) -> float:
        return self.eta_min


class CosineAnnealingWarmRestarts(LRScheduler):
    """Cosines from the rate at the start to `eta_min`, one after the other (Loshchilov and Hutter 2017).

    T_0: epochs of the first one. T_mult: each is so many times longer than the one before.
    `step(epoch)` takes fractions of an epoch too.
    """

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        checks.whole_and_positive(T_0=T_0, T_mult=T_mult)
        self.T_0, self.T_mult, self.eta_min = T_0, T_mult, eta_min
        super().__init__(optimizer, last_epoch)

    def _advance(self) -> None:
        self._set(math.floor(self.last_epoch) + 1)

    def _set(self, epoch: float) -> None:
        checks.not_negative(epoch=epoch)
        self._write([self._rate(base, epoch) for base in self.base_lrs])
        self.last_epoch = math.floor(epoch)

    def _rate(self, base: float, epoch: float) -> float:
        since, length = epoch, self.T_0
        while since >= length:
            since, length = since - length, length * self.T_mult
        return cosine(base, self.eta_min, since / length)
