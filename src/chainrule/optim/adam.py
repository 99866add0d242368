"""Adam and AdamW: steps scaled by running means of the gradient and of its square."""

from __future__ import annotations

from ..functions import maximum, sqrt
from ..tensor import Tensor
from .moments import bias_correction, check_group, moved_mean, moved_square
from .optimizer import Group, Optimizer, Parameters, State, count_step, direction, scalar


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, algorithm 1); PyTorch's arguments and formulas.

    With g the gradient plus weight_decay times the parameter w, at each step t:

        m = β1 · m + (1 - β1) · g
        v = β2 · v + (1 - β2) · g²
        w = w - lr · m / (1 - β1^t) / (√(v / (1 - β2^t)) + eps)

    betas: (β1, β2), the weight of the past in the two running means. eps: added to the divisor.
    weight_decay: L2 penalty, added to the gradient (for decay of the weights themselves see `AdamW`).
    amsgrad: divide by the largest v so far (Reddi et al. 2018). maximize: climb instead.
    Raises ConfigurationError for a negative number or a β outside [0, 1).

    >>> import chainrule as cr
    >>> w = cr.Parameter([1.0])
    >>> optimizer = Adam([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> round(w.item(), 4)
    0.5
    """

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, defaults | {"amsgrad": amsgrad, "maximize": maximize})

    def _check(self, group: Group) -> None:
        check_group(group)

    def _state_names(self, group: Group) -> tuple[str, ...]:
        names = ("step", "exp_avg", "exp_avg_sq")
        return (*names, "max_exp_avg_sq") if group["amsgrad"] else names

    def _update(self, parameter: Tensor, gradient: Tensor, state: State, group: Group) -> None:
        gradient = direction(parameter, gradient, group)
        parameter.assign(parameter - self._move(parameter, gradient, state, group))

    def _move(self, parameter: Tensor, gradient: Tensor, state: State, group: Group) -> Tensor:
        """What is taken from the parameter."""
        (beta1, beta2), step = group["betas"], count_step(state)
        mean, square = moved_mean(gradient, state, group), moved_square(gradient, state, group)
        if group["amsgrad"]:
            square = state["max_exp_avg_sq"].assign(maximum(state["max_exp_avg_sq"], square))
        mean_correction = bias_correction(beta1, step)
        scale = bias_correction(beta2, step) ** -0.5  # one number: its reciprocal saves a division an element
        divisor: Tensor = sqrt(square) * scalar(scale, parameter) + group["eps"]
        step_size: float | Tensor = scalar(scalar(group["lr"], step) / mean_correction, parameter)
        return mean * step_size / divisor


class AdamW(Adam):
    """Adam with weight decay apart from the gradient (Loshchilov and Hutter 2019); PyTorch's arguments and formulas.

    Each step first scales the parameter by (1 - lr · weight_decay), then moves it as Adam does without a penalty.
    """

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)

    def _update(self, parameter: Tensor, gradient: Tensor, state: State, group: Group) -> None:
        gradient = -gradient if group["maximize"] else gradient
        kept = 1 - scalar(group["lr"], parameter) * group["weight_decay"]
        parameter.assign(parameter * kept - self._move(parameter, gradient, state, group))
