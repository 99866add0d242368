"""Adagrad: steps scaled by the sum of all squared gradients so far."""

from __future__ import annotations

import numpy as np

from ..functions import sqrt
from ..ir.types import NumpyArray
from ..tensor import Tensor
from . import checks
from .optimizer import Group, Optimizer, Parameters, State, count_step, direction, scalar


class Adagrad(Optimizer):
    """Adagrad (Duchi, Hazan and Singer 2011); PyTorch's arguments and formulas.

    With g the gradient plus weight_decay times the parameter w, at each step t:

        s = s + g²                                            s starts at initial_accumulator_value
        w = w - lr / (1 + (t - 1) · lr_decay) · g / (√s + eps)

    Raises ConfigurationError for a negative number.

    >>> import chainrule as cr
    >>> w = cr.Parameter([1.0])
    >>> optimizer = Adagrad([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.5], requires_grad=True)
    """

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay}
        defaults |= {"initial_accumulator_value": initial_accumulator_value, "maximize": maximize}
        super().__init__(params, defaults)

    def _check(self, group: Group) -> None:
        checks.not_negative(lr=group["lr"], lr_decay=group["lr_decay"], eps=group["eps"])
        checks.not_negative(weight_decay=group["weight_decay"])
        checks.not_negative(initial_accumulator_value=group["initial_accumulator_value"])

    def _state_names(self, group: Group) -> tuple[str, ...]:
        return ("step", "sum")

    def _initial(self, name: str, parameter: Tensor, group: Group) -> NumpyArray:
        if name == "sum":
            return np.full(parameter.shape, group["initial_accumulator_value"], parameter.dtype)
        return super()._initial(name, parameter, group)

    def _update(self, parameter: Tensor, gradient: Tensor, state: State, group: Group) -> None:
        gradient = direction(parameter, gradient, group)
        step, total = count_step(state), state["sum"]
        total.assign(total + gradient * gradient)
        rate = scalar(group["lr"], parameter)
        if group["lr_decay"]:
            rate = scalar(scalar(group["lr"], step) / (1.0 + (step - 1.0) * group["lr_decay"]), parameter)
        parameter.assign(parameter - gradient * rate / (sqrt(total) + group["eps"]))
