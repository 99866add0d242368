"""Lion: moves of one size in the direction of a sign."""

from __future__ import annotations

from ..functions import sign
from ..tensor import Tensor
from . import checks
from .optimizer import Group, Optimizer, Parameters, State, count_step, scalar


class Lion(Optimizer):
    """Lion (Chen et al. 2023, "Symbolic discovery of optimization algorithms", algorithm 2).

    With g the gradient, at each step:

        w = (1 - lr · weight_decay) · w - lr · sign(β1 · m + (1 - β1) · g)
        m = β2 · m + (1 - β2) · g

    The paper takes an lr 3 to 10 times smaller, and a weight_decay as much larger, than for AdamW.
    Raises ConfigurationError for a negative number or a β outside [0, 1).

    >>> import chainrule as cr
    >>> w = cr.Parameter([1.0])
    >>> optimizer = Lion([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.item()
    0.75
    """

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": tuple(betas), "weight_decay": weight_decay, "maximize": maximize})

    def _check(self, group: Group) -> None:
        checks.not_negative(lr=group["lr"], weight_decay=group["weight_decay"])
        checks.fractions("betas", *group["betas"])

    def _state_names(self, group: Group) -> tuple[str, ...]:
        return ("step", "exp_avg")

    def _update(self, parameter: Tensor, gradient: Tensor, state: State, group: Group) -> None:
        count_step(state)
        gradient = -gradient if group["maximize"] else gradient
        beta1, beta2 = (scalar(each, gradient) for each in group["betas"])
        mean: Tensor = state["exp_avg"]
        rate = scalar(group["lr"], parameter)
        way = sign(mean * beta1 + gradient * (1 - beta1))
        parameter.assign(parameter * (1 - rate * group["weight_decay"]) - way * rate)
        mean.assign(mean * beta2 + gradient * (1 - beta2))
