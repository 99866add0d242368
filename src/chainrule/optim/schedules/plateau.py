"""A lower rate when a measure stops getting better."""

from __future__ import annotations

import math
from typing import Any, Literal

from ...errors import ConfigurationError
from .. import checks
from ..optimizer import Optimizer
from .base import LRScheduler, current_rate, for_each_group, set_rate


class ReduceLROnPlateau(LRScheduler):
    """The rate times `factor` once `metrics` has not got better for more than `patience` epochs: `step(metrics)`.

    mode: "min" when smaller is better, else "max". threshold: what counts as better, relative to the best so far
    (threshold_mode "rel") or absolute ("abs"). cooldown: epochs after a reduction that don't count.
    min_lr: where to stop, one or one for each group. eps: smaller changes of the rate are left out.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: Literal["min", "max"] = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: Literal["rel", "abs"] = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        checks.one_of("mode", mode, ("min", "max"))
        checks.one_of("threshold_mode", threshold_mode, ("rel", "abs"))
        checks.fractions("factor", factor)
        checks.not_negative(patience=patience, cooldown=cooldown, threshold=threshold, eps=eps)
        self.mode, self.threshold, self.threshold_mode = mode, threshold, threshold_mode
        self.factor, self.patience, self.cooldown, self.eps = factor, patience, cooldown, eps
        self.min_lrs: list[float] = for_each_group("min_lr", optimizer, min_lr)
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = 0
        super().__init__(optimizer)

    def _begin(self) -> None:
        self.last_epoch = 0

    def step(self, metrics: Any = None, epoch: float | None = None) -> None:  # type: ignore[override]
        """Tell the measure of one more epoch."""
        if metrics is None:
            raise ConfigurationError("ReduceLROnPlateau watches a measure: call step(validation_loss)")
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        self._count(float(metrics))
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = [current_rate(group) for group in self.optimizer.param_groups]

    def _count(self, current: float) -> None:
        better = self._is_better(current)
        self.best = current if better else self.best
        self.num_bad_epochs = 0 if better else self.num_bad_epochs + 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0

    def _is_better(self, current: float) -> bool:
        if self.mode == "min":
            return current < (
                self.best * (1 - self.threshold) if self.threshold_mode == "rel" else self.best - self.threshold
            )
        return current > (
            self.best * (1 + self.threshold) if self.threshold_mode == "rel" else self.best + self.threshold
        )

    def _reduce(self) -> None:
        for group, lowest in zip(self.optimizer.param_groups, self.min_lrs):
            before = current_rate(group)
            after = max(before * self.factor, lowest)
            if before - after > self.eps:
                set_rate(group, after)
