"""RAdam: Adam that moves without scaling while the variance of its scale is not known."""

from __future__ import annotations

from typing import Any

from ..functions import maximum, sqrt, where
from ..tensor import Tensor
from .moments import check_group, moved_mean, moved_square
from .optimizer import Group, Optimizer, Parameters, State, count_step, decayed, scalar

FEWEST = 5.0
"""The variance of the scale is tractable where its approximated length is above this."""


class RAdam(Optimizer):
    """Rectified Adam (Liu et al. 2020, algorithm 2); PyTorch's arguments and formulas.

    With g the gradient, m and v its running means as in Adam, ρ∞ = 2 / (1 - β2) - 1, at each step t:

        ρ = ρ∞ - 2 t β2^t / (1 - β2^t)
        r = √((ρ - 4) (ρ - 2) ρ∞ / ((ρ∞ - 4) (ρ∞ - 2) ρ))
        w = w - lr · m / (1 - β1^t) · r · √(1 - β2^t) / (√v + eps)         where ρ > 5
        w = w - lr · m / (1 - β1^t)                                        elsewhere

    decoupled_weight_decay: scale w by (1 - lr · weight_decay) instead of adding weight_decay · w to g.
    Raises ConfigurationError for a negative number or a β outside [0, 1).

    >>> import chainrule as cr
    >>> w = cr.Parameter([1.0])
    >>> optimizer = RAdam([w], lr=0.25)
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
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, defaults | {"decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize})

    def _check(self, group: Group) -> None:
        check_group(group)

    def _state_names(self, group: Group) -> tuple[str, ...]:
        return ("step", "exp_avg", "exp_avg_sq")

    def _update(self, parameter: Tensor, gradient: Tensor, state: State, group: Group) -> None:
        gradient, kept = decayed(parameter, gradient, group)
        (beta1, beta2), step = group["betas"], count_step(state)
        mean, square = moved_mean(gradient, state, group), moved_square(gradient, state, group)
        plain = scalar(group["lr"], step) / (1 - beta1**step)
        known, rectified = _rectified(beta2, step)
        scaled = scalar(rectified, parameter) / (sqrt(square) + group["eps"])
        scale = where(known, scaled, 1.0)
        parameter.assign(kept - mean * scalar(plain, parameter) * scale)


def _rectified(beta2: Any, step: Tensor) -> tuple[Tensor, Tensor]:
    """Whether the variance is tractable, and r · √(1 - β2^t) where it is."""
    past = beta2**step
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * step * past / (1 - past)
    safe = maximum(length, FEWEST)  # where the root is not used it is still taken
    ratio = (safe - 4) * (safe - 2) * longest / ((longest - 4) * (longest - 2) * safe)
    return length > FEWEST, sqrt(ratio * (1 - past))
