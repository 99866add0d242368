"""Adadelta: steps scaled by running means of squared gradients and of squared moves."""

from __future__ import annotations

from ..functions import sqrt
from ..tensor import Tensor
from . import checks
from .optimizer import Group, Optimizer, Parameters, State, count_step, direction, scalar


class Adadelta(Optimizer):
    """Adadelta (Zeiler 2012, algorithm 1); PyTorch's arguments and formulas.

    With g the gradient plus weight_decay times the parameter w, at each step:

        s = rho · s + (1 - rho) · g²
        Δ = √(u + eps) / √(s + eps) · g
        u = rho · u + (1 - rho) · Δ²
        w = w - lr · Δ

    rho: the weight of the past in both running means.
    Raises ConfigurationError for a negative number or a rho above 1.

    >>> import chainrule as cr
    >>> w = cr.Parameter([1.0])
    >>> optimizer = Adadelta([w])
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> round(w.item(), 4)
    0.9968
    """

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize})

    def _check(self, group: Group) -> None:
        checks.not_negative(lr=group["lr"], eps=group["eps"], weight_decay=group["weight_decay"])
        checks.between("rho", group["rho"], 0.0, 1.0)

    def _state_names(self, group: Group) -> tuple[str, ...]:
        return ("step", "square_avg", "acc_delta")

    def _update(self, parameter: Tensor, gradient: Tensor, state: State, group: Group) -> None:
        count_step(state)
        gradient, rho, eps = direction(parameter, gradient, group), group["rho"], group["eps"]
        square: Tensor = state["square_avg"]
        moved: Tensor = state["acc_delta"]
        square.assign(square * rho + gradient * gradient * (1 - rho))
        move: Tensor = sqrt(moved + eps) / sqrt(square + eps) * gradient
        moved.assign(moved * rho + move * move * (1 - rho))
        parameter.assign(parameter - move * scalar(group["lr"], parameter))
