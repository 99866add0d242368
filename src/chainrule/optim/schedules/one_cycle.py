"""One cycle: up to a large rate, down to a tiny one, the momentum the other way."""

from __future__ import annotations

from typing import Any, Literal

from ...errors import ConfigurationError
from .. import checks
from ..optimizer import Optimizer
from .base import LRScheduler, for_each_group, require_momentum, set_momentum
from .cosine import cosine

_UP = ("initial_lr", "max_lr", "max_momentum", "base_momentum")
_DOWN = ("max_lr", "min_lr", "base_momentum", "max_momentum")
_BACK = ("max_lr", "initial_lr", "base_momentum", "max_momentum")
_OUT = ("initial_lr", "min_lr", "max_momentum", "max_momentum")


def straight(start: float, end: float, done: float) -> float:
    """From start to end along a straight line; done from 0 to 1."""
    return start + (end - start) * done


class OneCycleLR(LRScheduler):
    """One cycle (Smith and Topin 2018): one `step()` for each batch, `total_steps` in all; PyTorch's arguments.

    The rate climbs from max_lr / div_factor to max_lr in the first `pct_start` of the steps, then falls to
    max_lr / div_factor / final_div_factor. Momentum (or Adam's first beta) falls from max_momentum to base_momentum and
    climbs again. three_phase: fall back to where it began first, then on. The total is given as total_steps, or as
    epochs and steps_per_epoch. Raises ConfigurationError for a step beyond the last.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        self.total_steps = _total(total_steps, epochs, steps_per_epoch)
        checks.one_of("anneal_strategy", anneal_strategy, ("cos", "linear"))
        if not 0 <= pct_start <= 1:
            raise ConfigurationError(f"pct_start is a part of all steps, between 0 and 1, but is {pct_start}")
        self.anneal_strategy, self.cycle_momentum = anneal_strategy, cycle_momentum
        self.pct_start, self.three_phase = pct_start, three_phase
        if last_epoch == -1:
            self._mark_rates(optimizer, max_lr, div_factor, final_div_factor)
            if cycle_momentum:
                self._mark_momentum(optimizer, base_momentum, max_momentum)
        super().__init__(optimizer, last_epoch)

    def _mark_rates(self, optimizer: Optimizer, max_lr: Any, div_factor: float, final_div_factor: float) -> None:
        for group, highest in zip(optimizer.param_groups, for_each_group("max_lr", optimizer, max_lr)):
            first = highest / div_factor
            group.update(initial_lr=first, max_lr=highest, min_lr=first / final_div_factor)

    def _mark_momentum(self, optimizer: Optimizer, base_momentum: Any, max_momentum: Any) -> None:
        require_momentum(optimizer)
        lowest = for_each_group("base_momentum", optimizer, base_momentum)
        highest = for_each_group("max_momentum", optimizer, max_momentum)
        for group, low, high in zip(optimizer.param_groups, lowest, highest):
            group.update(base_momentum=low, max_momentum=high)

    def _phases(self) -> list[tuple[float, tuple[str, str, str, str]]]:
        """(last step, what goes from where to where) of each phase."""
        first, last = self.pct_start * self.total_steps - 1, self.total_steps - 1
        if self.three_phase:
            return [(first, _UP), (2 * self.pct_start * self.total_steps - 2, _BACK), (last, _OUT)]
        return [(first, _UP), (last, _DOWN)]

    def _place(self, step: float) -> tuple[float, tuple[str, str, str, str]]:
        """How much of its phase is done at a step, and the phase."""
        start = 0.0
        phases = self._phases()
        for end, names in phases:
            if step <= end or names is phases[-1][1]:
                break
            start = end
        return (step - start) / (end - start) if end != start else 1.0, names

    def _advance(self) -> None:
        self._set(self.last_epoch + 1)

    def _set(self, epoch: float) -> None:
        if epoch > self.total_steps:
            raise ConfigurationError(
                f"this one-cycle schedule has {self.total_steps} steps, but step {epoch} was asked for"
            )
        self.last_epoch = epoch
        done, (first, last, first_momentum, last_momentum) = self._place(epoch)
        between = cosine if self.anneal_strategy == "cos" else straight
        groups = self.optimizer.param_groups
        self._write([between(group[first], group[last], done) for group in groups])
        for group in groups if self.cycle_momentum else ():
            set_momentum(group, between(group[first_momentum], group[last_momentum], done))


def _total(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    if total_steps is not None:
        checks.whole_and_positive(total_steps=total_steps)
        return total_steps
    if epochs is None or steps_per_epoch is None:
        raise ConfigurationError("OneCycleLR needs total_steps, or both epochs and steps_per_epoch")
    checks.whole_and_positive(epochs=epochs, steps_per_epoch=steps_per_epoch)
    return epochs * steps_per_epoch
