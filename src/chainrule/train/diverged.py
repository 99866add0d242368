"""What is said of a training whose loss is no longer finite."""

from __future__ import annotations

from ..errors import DivergenceError
from ..optim import Optimizer
from ..optim.schedules.base import current_rate
from .run_directory import RunDirectory


def diverged(error: float, place: str, optimizer: Optimizer, directory: RunDirectory | None) -> DivergenceError:
    """place: the epoch and the step. directory: where the last checkpoint is."""
    rate = current_rate(optimizer.param_groups[0])
    kept = f"; the last checkpoint is kept in {directory.path}" if directory else ""
    return DivergenceError(
        f"the loss is {error} in {place}, at learning rate {rate:g}: training has diverged. "
        "Try a smaller learning rate, clip_norm=1.0, or scaled inputs; check_finite=True tells where it began"
        f"{kept}"
    )
