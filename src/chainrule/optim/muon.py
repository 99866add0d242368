"""Muon: momentum whose singular values are all made about 1, for the matrices of hidden layers."""

from __future__ import annotations

import math
from typing import Any

from ..errors import ConfigurationError
from ..functions import matmul, matrix_transpose, maximum, sqrt
from ..functions import sum as total
from ..tensor import Tensor
from . import checks
from .optimizer import Group, Optimizer, Parameters, State, count_step, scalar

COEFFICIENTS = (3.4445, -4.775, 2.0315)


class Muon(Optimizer):
    """Muon (Jordan et al. 2024); PyTorch's arguments and defaults, computed in the parameters' own type.

    For matrices only; biases, gains and embeddings go to another optimiser. With g the gradient, at each step:

        b = momentum · b + (1 - momentum) · g
        u = g + momentum · (b - g) with nesterov, else b
        u = orthogonalise(u)                          ns_steps of Newton and Schulz's iteration
        w = (1 - lr · weight_decay) · w - scale · lr · u

    adjust_lr_fn: "original" (scale √max(1, rows / columns), the default) or "match_rms_adamw"
    (scale 0.2 · √max(rows, columns)).
    Raises ConfigurationError for parameters that are no matrices or options out of range.

    >>> import chainrule as cr
    >>> w = cr.Parameter([[1.0, 0.0], [0.0, 1.0]])
    >>> optimizer = Muon([w], lr=0.1, weight_decay=0.0)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> bool(abs(w[0, 1].item()) < 1e-6)
    True
    """

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = COEFFICIENTS,
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
        *,
        maximize: bool = False,
    ) -> None:
        defaults: Group = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov}
        defaults |= {"ns_coefficients": tuple(ns_coefficients), "eps": eps, "ns_steps": ns_steps}
        super().__init__(params, defaults | {"adjust_lr_fn": adjust_lr_fn, "maximize": maximize})

    def _check(self, group: Group) -> None:
        checks.not_negative(lr=group["lr"], eps=group["eps"], weight_decay=group["weight_decay"])
        checks.not_negative(momentum=group["momentum"])
        checks.whole_and_positive(ns_steps=group["ns_steps"])
        checks.one_of("adjust_lr_fn", group["adjust_lr_fn"], (None, "original", "match_rms_adamw"))
        for parameter in group["params"]:
            if parameter.ndim != 2:
                raise ConfigurationError(
                    f"Muon moves matrices, but a parameter has the shape {parameter.shape}; give it to AdamW instead"
                )

    def _state_names(self, group: Group) -> tuple[str, ...]:
        return ("step", "momentum_buffer")

    def _update(self, parameter: Tensor, gradient: Tensor, state: State, group: Group) -> None:
        count_step(state)
        gradient = -gradient if group["maximize"] else gradient
        momentum = scalar(group["momentum"], gradient)
        buffer: Tensor = state["momentum_buffer"]
        buffer.assign(buffer + (gradient - buffer) * (1 - momentum))
        way = gradient + (buffer - gradient) * momentum if group["nesterov"] else buffer
        move = _orthogonalised(way, group["ns_coefficients"], group["ns_steps"], group["eps"])
        rate = scalar(group["lr"], parameter)
        kept = parameter * (1 - rate * group["weight_decay"])
        parameter.assign(kept - move * (rate * _scale(group["adjust_lr_fn"], *parameter.shape)))


def _orthogonalised(matrix: Any, coefficients: tuple[float, float, float], steps: int, eps: float) -> Any:
    """The matrix with its singular values brought near 1: x = a·x + (b·xxᵀ + c·(xxᵀ)²)·x, some times."""
    a, b, c = coefficients
    rows, columns = matrix.shape
    x = matrix_transpose(matrix) if rows > columns else matrix  # the product x xᵀ is the smaller one
    x = x / maximum(sqrt(total(x * x)), eps)
    for _ in range(steps):
        square = matmul(x, matrix_transpose(x))
        x = x * a + matmul(square * b + matmul(square, square) * c, x)
    return matrix_transpose(x) if rows > columns else x


def _scale(kind: str | None, rows: int, columns: int) -> float:
    if kind == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(max(1.0, rows / max(columns, 1)))
