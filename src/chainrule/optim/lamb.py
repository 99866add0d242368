"""LAMB: Adam with steps in proportion to the weights of each layer, for large batches."""

from __future__ import annotations

from typing import Any

from ..functions import sqrt, where
from ..functions import sum as total
from ..tensor import Tensor
from .moments import bias_correction, check_group, moved_mean, moved_square
from .optimizer import Group, Optimizer, Parameters, State, count_step, scalar


class LAMB(Optimizer):
    """LAMB (You et al. 2020, "Large batch optimization for deep learning", algorithm 2).

    With m and v the running means of Adam and their bias corrections, at each step, for each parameter array w:

        r = m / (√v + eps) + weight_decay · w
        w = w - lr · |w| / |r| · r                    the ratio is 1 where |w| or |r| is 0

    Raises ConfigurationError for a negative number or a β outside [0, 1).

    >>> import chainrule as cr
    >>> w = cr.Parameter([1.0, 1.0])
    >>> optimizer = LAMB([w], lr=0.5, weight_decay=0.0)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.5, 0.5], requires_grad=True)
    """

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 1e-2,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, defaults)

    def _check(self, group: Group) -> None:
        check_group(group)

    def _state_names(self, group: Group) -> tuple[str, ...]:
        return ("step", "exp_avg", "exp_avg_sq")

    def _update(self, parameter: Tensor, gradient: Tensor, state: State, group: Group) -> None:
        gradient = -gradient if group["maximize"] else gradient
        (beta1, beta2), step = group["betas"], count_step(state)
        mean, square = moved_mean(gradient, state, group), moved_square(gradient, state, group)
        corrected = mean / scalar(bias_correction(beta1, step), parameter)
        divisor = sqrt(square / scalar(bias_correction(beta2, step), parameter)) + group["eps"]
        move = corrected / divisor + parameter * group["weight_decay"]
        parameter.assign(parameter - move * (_trust(parameter, move) * scalar(group["lr"], parameter)))


def _trust(parameter: Tensor, move: Any) -> Any:
    """|w| / |r|, or 1 where either is 0."""
    weights, moves = total(parameter * parameter), total(move * move)
    usable = (weights > 0) & (moves > 0)
    return where(usable, sqrt(where(usable, weights, 1.0) / where(usable, moves, 1.0)), 1.0)
