"""Gradient descent with momentum."""

from __future__ import annotations

from typing import Any

from ..errors import ConfigurationError
from ..tensor import Tensor
from . import checks
from .optimizer import Group, Optimizer, Parameters, State, count_step, direction, is_zero, scalar


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum and weight decay; PyTorch's arguments and formulas.

    With g the gradient plus weight_decay times the parameter w, at each step t:

        v(t) = momentum · v(t-1) + (1 - dampening) · g        v(1) = g
        w(t) = w(t-1) - lr · v(t)                             with nesterov: w(t-1) - lr · (g + momentum · v(t))

    This is also the rule of Rumelhart, Hinton and Williams (1986), Δw(t) = -ε ∂E/∂w(t) + α Δw(t-1): put lr = ε,
    momentum = α, and Δw = -lr · v. The two are the same as long as lr is constant; when lr changes between steps, here
    the whole move is scaled with the new lr, while in 1986 the part that carries on keeps the old one.

    lr: learning rate. momentum: how much of the last move carries on. dampening: what is taken off the gradient in the
    running sum. nesterov: look ahead (Sutskever et al. 2013). maximize: climb instead.
    Raises ConfigurationError for a negative number, or nesterov without momentum or with dampening.

    >>> import chainrule as cr
    >>> w = cr.Parameter([1.0])
    >>> optimizer = SGD([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.8], requires_grad=True)
    """

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
        super().__init__(params, defaults | {"nesterov": nesterov, "maximize": maximize})

    def _check(self, group: Group) -> None:
        checks.not_negative(lr=group["lr"], momentum=group["momentum"], weight_decay=group["weight_decay"])
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ConfigurationError(
                f"nesterov needs a momentum above 0 and no dampening, but momentum={group['momentum']} and "
                f"dampening={group['dampening']}"
            )

    def _state_names(self, group: Group) -> tuple[str, ...]:
        if is_zero(group["momentum"]):
            return ()
        # Dampening spares the first gradient, so only then the steps are counted.
        return ("momentum_buffer", "step") if group["dampening"] else ("momentum_buffer",)

    def _restored(self, index: int, given: Any, parameter: Tensor, group: Group) -> State:
        counts = "step" in self._state_names(group) and "step" not in given
        # PyTorch counts no steps: that it kept a running sum says that there were some.
        return super()._restored(index, {**given, "step": 1.0} if counts else given, parameter, group)

    def _update(self, parameter: Tensor, gradient: Tensor, state: State, group: Group) -> None:
        gradient = direction(parameter, gradient, group)
        if not is_zero(group["momentum"]):
            gradient = self._carried_on(gradient, state, group)
        parameter.assign(parameter - scalar(group["lr"], parameter) * gradient)

    def _carried_on(self, gradient: Tensor, state: State, group: Group) -> Tensor:
        momentum, dampening = scalar(group["momentum"], gradient), group["dampening"]
        added = gradient
        if dampening:
            later = scalar(count_step(state) > 1.0, gradient)
            added = gradient * (1.0 - later * dampening)
        buffer: Tensor = state["momentum_buffer"]
        buffer.assign(buffer * momentum + added)
        return gradient + buffer * momentum if group["nesterov"] else buffer
