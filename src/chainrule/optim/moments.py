"""The running means of the gradient and of its square, which Adam and those like it move by."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ..ir.types import float64
from ..tensor import Tensor, in_trace
from . import checks
from .optimizer import Group, State, scalar


def check_group(group: Group) -> None:
    """That the options they all have are in their ranges."""
    checks.not_negative(lr=group["lr"], eps=group["eps"], weight_decay=group["weight_decay"])
    checks.fractions("betas", *group["betas"])


def moved_mean(gradient: Tensor, state: State, group: Group) -> Tensor:
    """m = β1 · m + (1 - β1) · g, with g the gradient: "exp_avg" in the state of a parameter."""
    mean: Tensor = state["exp_avg"]
    return mean.assign(mean + (gradient - mean) * scalar(1 - group["betas"][0], gradient))


def moved_square(gradient: Tensor, state: State, group: Group) -> Tensor:
    """v = β2 · v + (1 - β2) · g²: "exp_avg_sq" in the state."""
    beta, square = group["betas"][1], state["exp_avg_sq"]
    moved: Tensor = square.assign(square * scalar(beta, gradient) + gradient * gradient * scalar(1 - beta, gradient))
    return moved


def bias_correction(beta: float, step: Tensor) -> Any:
    """1 - β^t: a Python number where the count of steps is known, a float64 tensor in a trace."""
    return 1 - beta**step if in_trace() else _known_correction(beta, step.item())


@lru_cache(maxsize=64)  # all parameters of a group are mostly at the same step
def _known_correction(beta: float, step: float) -> float:
    number: float = (1 - beta ** Tensor(np.asarray(step, float64))).item()
    return number
