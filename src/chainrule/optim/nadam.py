"""NAdam: Adam with Nesterov's momentum."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..functions import sqrt
from ..ir.types import NumpyArray, float64
from ..tensor import Tensor
from . import checks
from .moments import bias_correction, check_group, moved_mean, moved_square
from .optimizer import Group, Optimizer, Parameters, State, count_step, decayed, scalar


class NAdam(Optimizer):
    """NAdam (Dozat 2016); PyTorch's arguments and formulas.

    With g the gradient, μ(t) = β1 · (1 - 0.96^(t · momentum_decay) / 2) and M(t) = μ(1) · ... · μ(t), at each step t:

        m = β1 · m + (1 - β1) · g
        v = β2 · v + (1 - β2) · g²
        n = (1 - μ(t)) / (1 - M(t)) · g + μ(t+1) / (1 - M(t+1)) · m
        w = w - lr · n / (√(v / (1 - β2^t)) + eps)

    decoupled_weight_decay: scale w by (1 - lr · weight_decay) instead of adding weight_decay · w to g.
    Raises ConfigurationError for a negative number or a β outside [0, 1).

    >>> import chainrule as cr
    >>> w = cr.Parameter([1.0])
    >>> optimizer = NAdam([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.item() < 0.6
    True
    """

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay}
        defaults |= {"momentum_decay": momentum_decay, "decoupled_weight_decay": decoupled_weight_decay}
        super().__init__(params, defaults | {"maximize": maximize})

    def _check(self, group: Group) -> None:
        check_group(group)
        checks.not_negative(momentum_decay=group["momentum_decay"])

    def _state_names(self, group: Group) -> tuple[str, ...]:
        return ("step", "mu_product", "exp_avg", "exp_avg_sq")

    def _initial(self, name: str, parameter: Tensor, group: Group) -> NumpyArray:
        return np.ones((), float64) if name == "mu_product" else super()._initial(name, parameter, group)

    def _update(self, parameter: Tensor, gradient: Tensor, state: State, group: Group) -> None:
        gradient, kept = decayed(parameter, gradient, group)
        beta2, step = group["betas"][1], count_step(state)
        mean, square = moved_mean(gradient, state, group), moved_square(gradient, state, group)
        divisor = sqrt(square / scalar(bias_correction(beta2, step), parameter)) + group["eps"]
        of_gradient, of_mean = self._rates(step, state, group)
        move = gradient * scalar(of_gradient, parameter) + mean * scalar(of_mean, parameter)
        parameter.assign(kept - move / divisor)

    def _rates(self, step: Tensor, state: State, group: Group) -> tuple[Tensor, Tensor]:
        """What the gradient and the running mean are scaled with, learning rate included."""
        beta1, decay, product = group["betas"][0], group["momentum_decay"], state["mu_product"]
        now = (1 - 0.5 * 0.96 ** (step * decay)) * beta1
        later = (1 - 0.5 * 0.96 ** ((step + 1.0) * decay)) * beta1
        total: Any = product.assign(product * now)
        rate = scalar(group["lr"], step)
        return (1 - now) / (1 - total) * rate, later / (1 - total * later) * rate
