"""What all schedules share: the learning rate as a function of the epoch, written into the optimiser's groups."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ...errors import ConfigurationError, TraceError
from ...tensor import Tensor, in_trace
from ..optimizer import Group, Optimizer

_ROUNDING = 1e-6  # of a rate kept as a float32 tensor


def current_rate(group: Group) -> float:
    """The learning rate of a group as a Python number."""
    return float(group["lr"])


def set_rate(group: Group, rate: float) -> None:
    """Write the learning rate of a group; into the tensor, where it is kept as one."""
    if isinstance(group["lr"], Tensor):
        group["lr"].assign(Tensor(rate, group["lr"].dtype))
    else:
        group["lr"] = rate


def require_momentum(optimizer: Optimizer) -> None:
    """For schedules of momentum: a ConfigurationError where a group has neither momentum nor betas."""
    optimizer.moving |= {"betas", "momentum"}
    if any("betas" not in group and "momentum" not in group for group in optimizer.param_groups):
        raise ConfigurationError(
            "cycle_momentum needs an optimiser with momentum or betas, "
            f"which {type(optimizer).__name__} has not; set cycle_momentum=False"
        )


def set_momentum(group: Group, momentum: float) -> None:
    """Write the momentum of a group, or Adam's first beta."""
    if "betas" in group:
        group["betas"] = (momentum, *group["betas"][1:])
    else:
        group["momentum"] = momentum


def for_each_group(name: str, optimizer: Optimizer, given: Any) -> list[Any]:
    """One entry for each parameter group: a list as it is, a single thing repeated."""
    count = len(optimizer.param_groups)
    listed = list(given) if isinstance(given, list | tuple) else [given] * count
    if len(listed) != count:
        raise ConfigurationError(
            f"{name} needs one entry for each of the {count} parameter groups, but has {len(listed)}"
        )
    return listed


class LRScheduler:
    """Base of the schedules: sets the learning rate of every parameter group; PyTorch's names and formulas.

    A schedule gives the rate at an epoch (or step, whatever `step()` counts) from the rate at the start: `_rate`. It
    is computed from the start anew each time, so nothing drifts. Where the rate was changed from outside since the
    last step, by hand or by a second schedule, it goes on from there in proportion.

    last_epoch: the epoch already done, -1 for none; another number needs "initial_lr" in the groups.
    """

    _not_saved: tuple[str, ...] = ("optimizer",)

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise ConfigurationError(f"a schedule needs an optimiser, but was given a {type(optimizer).__name__}")
        self.optimizer = optimizer
        self.base_lrs = [self._start_of(group, last_epoch) for group in optimizer.param_groups]
        self.last_epoch: float = last_epoch
        self._last_lr = [current_rate(group) for group in optimizer.param_groups]
        self._begin()

    def _start_of(self, group: Group, last_epoch: float) -> float:
        if last_epoch >= 0 and "initial_lr" not in group:
            raise ConfigurationError(
                f'a schedule that goes on after epoch {last_epoch} needs "initial_lr" in each parameter group: '
                "load the optimiser's state dict first"
            )
        return float(group.setdefault("initial_lr", current_rate(group)))

    def _begin(self) -> None:
        self._set(self.last_epoch + 1)

    # -- what each schedule says for itself

    def _rate(self, base: float, epoch: float) -> float:
        """The learning rate at `epoch` of a group that starts with `base`."""
        raise NotImplementedError(f"{type(self).__name__} does not say what the learning rate is")

    def _floor(self) -> float:
        """The rate that the schedule approaches: changes from outside scale what is above it."""
        return 0.0

    # -- what a user calls

    def step(self, epoch: float | None = None) -> None:
        """Go on to the next epoch, or to the one given, and set the learning rates. Raises TraceError in a trace."""
        if in_trace():
            raise TraceError(
                f"{type(self).__name__}.step() in a compiled function would be done once, while it is traced, and not "
                "at each call; call it after the compiled function, which reads the learning rate anew each time"
            )
        groups = self.optimizer.param_groups
        if len(groups) != len(self.base_lrs):
            raise ConfigurationError(
                f"this schedule is for {len(self.base_lrs)} parameter groups, and the optimiser has {len(groups)}: "
                "make the schedule after the last add_param_group"
            )
        if epoch is not None:
            self._set(epoch)
        else:
            self._advance()

    def get_last_lr(self) -> list[float]:
        """The learning rate of each group, as last set."""
        return list(self._last_lr)

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimiser and functions, as plain numbers and lists."""
        return {name: each for name, each in vars(self).items() if name not in self._not_saved}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore what `state_dict` gave; the learning rate itself is in the optimiser's state dict."""
        expected, given = set(self.state_dict()), set(state_dict)
        if expected != given:
            differing = ", ".join(sorted(expected ^ given))
            raise ConfigurationError(f"the state dict is not one of {type(self).__name__}: they differ in {differing}")
        vars(self).update(state_dict)

    # -- moving on

    def _set(self, epoch: float) -> None:
        """Set the rates of `epoch`, whatever they were before."""
        self.last_epoch = epoch
        self._write([self._rate(base, epoch) for base in self.base_lrs])

    def _advance(self) -> None:
        self.last_epoch += 1
        rates = map(current_rate, self.optimizer.param_groups)
        self._write([self._next(position, rate) for position, rate in enumerate(rates)])

    def _next(self, position: int, current: float) -> float:
        base, floor = self.base_lrs[position], self._floor()
        planned = self._rate(base, self.last_epoch)
        before = self._rate(base, self.last_epoch - 1)
        untouched = current == self._last_lr[position] and math.isclose(current, before, rel_tol=_ROUNDING)
        if untouched or before == floor:
            return planned
        return floor + (current - floor) * (planned - floor) / (before - floor)

    def _write(self, rates: list[float]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates):
            set_rate(group, rate)
        self._last_lr = [current_rate(group) for group in self.optimizer.param_groups]
