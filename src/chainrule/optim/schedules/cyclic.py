"""Rates that go up and down between two limits again and again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from .. import checks
from ..optimizer import Optimizer
from .base import LRScheduler, for_each_group, require_momentum, set_momentum


class CyclicLR(LRScheduler):
    """Cyclical rates (Smith 2017): from base_lr up to max_lr in step_size_up steps, down in step_size_down, and so on.

    One `step()` for each batch. mode: "triangular"; "triangular2" halves the height each cycle; "exp_range" lowers it
    by gamma each step. scale_fn: a function of yours of the number of the cycle, from 1 on, or of the step, as
    scale_mode says, in place of a mode; it is not part of the state dict. cycle_momentum: momentum (or Adam's first
    beta) goes the other way, from max_momentum to base_momentum. Raises ConfigurationError where there is neither.
    """

    _not_saved = ("optimizer", "scale_fn")

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: Literal["cycle", "iterations"] = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        down = step_size_up if step_size_down is None else step_size_down
        checks.whole_and_positive(step_size_up=step_size_up, step_size_down=down)
        checks.one_of("mode", mode, ("triangular", "triangular2", "exp_range"))
        checks.one_of("scale_mode", scale_mode, ("cycle", "iterations"))
        self.total_size, self.step_ratio = float(step_size_up + down), step_size_up / (step_size_up + down)
        self.mode, self.gamma, self.scale_fn, self.scale_mode = mode, gamma, scale_fn, scale_mode
        self.max_lrs = for_each_group("max_lr", optimizer, max_lr)
        for group, low in zip(optimizer.param_groups, for_each_group("base_lr", optimizer, base_lr)):
            group["initial_lr"] = low
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.base_momentums = for_each_group("base_momentum", optimizer, base_momentum)
            self.max_momentums = for_each_group("max_momentum", optimizer, max_momentum)
            require_momentum(optimizer)
        super().__init__(optimizer, last_epoch)

    def _height(self, step: float) -> float:
        """How far from base_lr to max_lr the rate is at a step, from 0 to 1, scaled."""
        cycle = 1 + step // self.total_size
        place = 1 + step / self.total_size - cycle
        up = place / self.step_ratio if place <= self.step_ratio else (place - 1) / (self.step_ratio - 1)
        return up * self._scale(cycle, step)

    def _scale(self, cycle: float, step: float) -> float:
        if self.scale_fn is not None:
            return float(self.scale_fn(cycle if self.scale_mode == "cycle" else step))
        return float({"triangular": 1.0, "triangular2": 2.0 ** (1 - cycle)}.get(self.mode, self.gamma**step))

    def _advance(self) -> None:
        self._set(self.last_epoch + 1)

    def _set(self, epoch: float) -> None:
        self.last_epoch, height = epoch, self._height(epoch)
        self._write([low + (high - low) * height for low, high in zip(self.base_lrs, self.max_lrs)])
        if self.cycle_momentum:
            for group, low, high in zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums):
                set_momentum(group, high - (high - low) * height)
