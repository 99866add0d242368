"""Rprop: steps whose size follows the signs of the gradients alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ConfigurationError
from ..functions import clip, sign, where
from ..ir.types import NumpyArray
from ..tensor import Tensor
from . import checks
from .optimizer import Group, Optimizer, Parameters, State, count_step


class Rprop(Optimizer):
    """Resilient backpropagation (Riedmiller and Braun 1993), without weight backtracking; PyTorch's arguments.

    Each weight has a step size of its own. Where its gradient keeps its sign the size grows by η+; where the sign turns
    the size shrinks by η- and the weight rests for a step. The weight moves against the sign of its gradient. Meant for
    whole batches: the signs of small batches are noise.

    lr: the first step size. etas: (η-, η+). step_sizes: the smallest and the largest.
    Raises ConfigurationError for a negative lr, or etas that are not 0 < η- < 1 < η+.

    >>> import chainrule as cr
    >>> w = cr.Parameter([1.0])
    >>> optimizer = Rprop([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.item()
    0.5
    """

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50.0),
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "etas": tuple(etas), "step_sizes": tuple(step_sizes), "maximize": maximize}
        super().__init__(params, defaults)

    def _check(self, group: Group) -> None:
        checks.not_negative(lr=group["lr"])
        smaller, larger = group["etas"]
        if not 0 < smaller < 1 < larger:
            raise ConfigurationError(f"etas must be a number below 1 and one above, but are {group['etas']}")
        least, most = group["step_sizes"]
        if not 0 < least <= most:
            raise ConfigurationError(f"step_sizes must be the smallest and the largest, but are {group['step_sizes']}")

    def _state_names(self, group: Group) -> tuple[str, ...]:
        return ("step", "prev", "step_size")

    def _initial(self, name: str, parameter: Tensor, group: Group) -> NumpyArray:
        if name == "step_size":
            return np.full(parameter.shape, float(group["lr"]), parameter.dtype)
        return super()._initial(name, parameter, group)

    def _update(self, parameter: Tensor, gradient: Tensor, state: State, group: Group) -> None:
        count_step(state)
        gradient = -gradient if group["maximize"] else gradient
        smaller, larger = group["etas"]
        size: Tensor = state["step_size"]
        agreement: Any = gradient * state["prev"]
        changed = where(agreement > 0, size * larger, where(agreement < 0, size * smaller, size))
        size.assign(clip(changed, *group["step_sizes"]))
        used: Tensor = where(agreement < 0, 0.0, gradient)
        parameter.assign(parameter - sign(used) * size)
        state["prev"].assign(used)
