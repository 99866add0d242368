"""What a callback sees of a training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .. import nn
from ..optim import Optimizer
from .history import History, Row


@dataclass
class TrainingState:
    """What a callback sees. `row` holds the figures of the epoch that has just ended; `step` counts updates."""

    model: nn.Module
    optimizer: Optimizer
    history: History
    epoch: int = 0
    step: int = 0
    row: Row = field(default_factory=dict)


Callback = Callable[[TrainingState], Any]
"""A function of the state; if it returns "stop" the training ends."""
