"""RMSprop: steps scaled by a running mean of the squared gradient."""

from __future__ import annotations

from ..functions import sqrt
from ..tensor import Tensor
from . import checks
from .optimizer import Group, Optimizer, Parameters, State, count_step, direction, is_zero, scalar


class RMSprop(Optimizer):
    """RMSprop (Tieleman and Hinton 2012, lecture 6e), centred as in Graves (2013); PyTorch's arguments and formulas.

    With g the gradient plus weight_decay times the parameter w, at each step:

        s = alpha · s + (1 - alpha) · g²
        w = w - lr · g / (√s + eps)                   centered: √(s - a²), a a running mean of g
        with momentum: b = momentum · b + g / (√s + eps); w = w - lr · b

    Raises ConfigurationError for a negative number.

    >>> import chainrule as cr
    >>> w = cr.Parameter([1.0])
    >>> optimizer = RMSprop([w], lr=0.05)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.5], requires_grad=True)
    """

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered}
        super().__init__(params, defaults | {"weight_decay": weight_decay, "maximize": maximize})

    def _check(self, group: Group) -> None:
        checks.not_negative(lr=group["lr"], eps=group["eps"], weight_decay=group["weight_decay"])
        checks.not_negative(momentum=group["momentum"], alpha=group["alpha"])

    def _state_names(self, group: Group) -> tuple[str, ...]:
        names: tuple[str, ...] = ("step", "square_avg")
        names += ("momentum_buffer",) if not is_zero(group["momentum"]) else ()
        return (*names, "grad_avg") if group["centered"] else names

    def _update(self, parameter: Tensor, gradient: Tensor, state: State, group: Group) -> None:
        count_step(state)
        gradient = direction(parameter, gradient, group)
        move = gradient / self._divisor(gradient, state, group)
        if not is_zero(group["momentum"]):
            move = state["momentum_buffer"].assign(state["momentum_buffer"] * scalar(group["momentum"], move) + move)
        parameter.assign(parameter - move * scalar(group["lr"], parameter))

    def _divisor(self, gradient: Tensor, state: State, group: Group) -> Tensor:
        alpha: float = group["alpha"]
        square: Tensor = state["square_avg"]
        variance = square.assign(square * alpha + gradient * gradient * (1 - alpha))
        if group["centered"]:
            mean: Tensor = state["grad_avg"]
            mean.assign(mean + (gradient - mean) * (1 - alpha))
            variance = variance - mean * mean
        root: Tensor = sqrt(variance)
        result: Tensor = root + group["eps"]
        return result
