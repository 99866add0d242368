"""Adamax: Adam with the largest recent gradient in place of the mean square."""

from __future__ import annotations

from typing import Any

from ..functions import abs, maximum
from ..tensor import Tensor
from .moments import bias_correction, check_group, moved_mean
from .optimizer import Group, Optimizer, Parameters, State, count_step, direction, scalar


class Adamax(Optimizer):
    """Adamax (Kingma and Ba 2015, algorithm 2); PyTorch's arguments and formulas.

    With g the gradient plus weight_decay times the parameter w, at each step t:

        m = β1 · m + (1 - β1) · g
        u = max(β2 · u, |g| + eps)
        w = w - lr / (1 - β1^t) · m / u

    Raises ConfigurationError for a negative number or a β outside [0, 1).

    >>> import chainrule as cr
    >>> w = cr.Parameter([1.0])
    >>> optimizer = Adamax([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> round(w.item(), 4)
    0.5
    """

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, defaults)

    def _check(self, group: Group) -> None:
        check_group(group)

    def _state_names(self, group: Group) -> tuple[str, ...]:
        return ("step", "exp_avg", "exp_inf")

    def _update(self, parameter: Tensor, gradient: Tensor, state: State, group: Group) -> None:
        gradient = direction(parameter, gradient, group)
        (beta1, beta2), step = group["betas"], count_step(state)
        mean, largest = moved_mean(gradient, state, group), state["exp_inf"]
        largest.assign(maximum(largest * scalar(beta2, gradient), abs(gradient) + group["eps"]))
        rate: Any = scalar(scalar(group["lr"], step) / bias_correction(beta1, step), parameter)
        parameter.assign(parameter - mean * rate / largest)
