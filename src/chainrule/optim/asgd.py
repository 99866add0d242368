"""ASGD: gradient descent with a falling rate, and the mean of the weights it goes through."""

from __future__ import annotations

import numpy as np

from ..functions import maximum
from ..ir.types import NumpyArray, float64
from ..tensor import Tensor
from . import checks
from .optimizer import Group, Optimizer, Parameters, State, count_step, direction, scalar


class ASGD(Optimizer):
    """Averaged gradient descent (Polyak and Juditsky 1992; Bottou's rates); PyTorch's arguments and formulas.

    With g the gradient plus weight_decay times the parameter w, at each step t:

        w = (1 - lambd · η) · w - η · g
        a = a + μ · (w - a)
        η = lr / (1 + lambd · lr · t)^alpha           μ = 1 / max(1, t - t0)

    state[w]["ax"] is the mean a of the weights since step t0.
    Raises ConfigurationError for a negative number.

    >>> import chainrule as cr
    >>> w = cr.Parameter([1.0])
    >>> optimizer = ASGD([w], lr=0.25, lambd=0.0)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.item()
    0.5
    """

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay}
        super().__init__(params, defaults | {"maximize": maximize})

    def _check(self, group: Group) -> None:
        checks.not_negative(lr=group["lr"], lambd=group["lambd"], weight_decay=group["weight_decay"])
        checks.not_negative(alpha=group["alpha"], t0=group["t0"])

    def _state_names(self, group: Group) -> tuple[str, ...]:
        return ("step", "eta", "mu", "ax")

    def _initial(self, name: str, parameter: Tensor, group: Group) -> NumpyArray:
        if name in ("eta", "mu"):
            return np.asarray(float(group["lr"]) if name == "eta" else 1.0, float64)
        return super()._initial(name, parameter, group)

    def _update(self, parameter: Tensor, gradient: Tensor, state: State, group: Group) -> None:
        gradient, step = direction(parameter, gradient, group), count_step(state)
        rate, lambd = state["eta"], group["lambd"]
        kept = parameter * scalar(1 - rate * lambd, parameter)
        parameter.assign(kept - gradient * scalar(rate, parameter))
        mean: Tensor = state["ax"]
        mean.assign(mean + (parameter - mean) * scalar(state["mu"], parameter))
        first = scalar(group["lr"], step)
        state["eta"].assign(first / (1 + step * first * lambd) ** group["alpha"])
        state["mu"].assign(1 / maximum(step - group["t0"], 1.0))
