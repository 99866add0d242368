"""Early stopping: end the training when a figure no longer improves, and keep the best weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..counts import checked_count
from ..errors import ConfigurationError
from .metrics import METRICS


@dataclass(frozen=True)
class EarlyStopping:
    """Stop after `patience` epochs in a row without an improvement of `monitor` by more than min_delta.

    monitor: a column of the history, "val_loss" by default ("loss" where there is no validation). mode: "min", "max",
    or None to tell by the name. restore_best: go back to the weights of the best epoch at the end.
    """

    patience: int = 5
    min_delta: float = 0.0
    monitor: str | None = None
    mode: str | None = None
    restore_best: bool = True

    def __post_init__(self) -> None:
        checked_count("patience", self.patience)
        if self.mode not in (None, "min", "max"):
            raise ConfigurationError(f"mode is 'min', 'max' or None, not {self.mode!r}")

    def monitored(self, has_validation: bool) -> str:
        """The column that is watched."""
        return self.monitor or ("val_loss" if has_validation else "loss")

    def sign(self, column: str) -> float:
        """-1 where larger is better."""
        if self.mode is not None:
            return -1.0 if self.mode == "max" else 1.0
        metric = METRICS.get(column.removeprefix("val_"))
        return -1.0 if metric is not None and metric.larger_is_better else 1.0


class Best:
    """The best epoch so far, and how long ago it was."""

    def __init__(self, rule: EarlyStopping, has_validation: bool) -> None:
        self.rule = rule
        self.column = rule.monitored(has_validation)
        self.value = math.inf
        self.epoch = 0
        self.waited = 0

    def see(self, epoch: int, row: Mapping[str, Any]) -> bool:
        """Take note of an epoch's figures; whether it is the best so far."""
        if self.column not in row:
            raise ConfigurationError(f"early stopping watches {self.column!r}, but the history has {', '.join(row)}")
        value = self.rule.sign(self.column) * float(row[self.column])
        if value < self.value - self.rule.min_delta:
            self.value, self.epoch, self.waited = value, epoch, 0
            return True
        self.waited += 1
        return False

    @property
    def is_over(self) -> bool:
        """Whether patience is used up."""
        return self.waited >= self.rule.patience

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers, fit for JSON."""
        return {"value": self.value, "epoch": self.epoch, "waited": self.waited}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self.value, self.epoch, self.waited = float(state["value"]), int(state["epoch"]), int(state["waited"])


def as_early_stopping(given: Any) -> EarlyStopping | None:
    """From an EarlyStopping, a patience, or None."""
    if given is None or isinstance(given, EarlyStopping):
        return given
    if isinstance(given, bool) or not isinstance(given, int):
        raise ConfigurationError(f"early_stopping is a number of epochs or an EarlyStopping, not {given!r}")
    return EarlyStopping(patience=given)
