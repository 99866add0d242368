"""Adafactor: second moments of matrices kept as rows and columns, so that the memory they take nearly vanishes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..functions import maximum, mean, rsqrt, sqrt
from ..functions import minimum as smaller
from ..ir.types import NumpyArray
from ..tensor import Tensor
from . import checks
from .optimizer import Group, Optimizer, Parameters, State, count_step, scalar


class Adafactor(Optimizer):
    """Adafactor (Shazeer and Stern 2018), without momentum; PyTorch's arguments and numbers.

    At step t, with g the gradient, ρ = min(lr, 1 / √t) and β = 1 - t^beta2_decay:

        v = β · v + (1 - β) · g²              of matrices only its means over rows and over columns are kept
        u = g / √v, divided by max(1, rms(u) / d)
        w = (1 - lr · weight_decay) · w - max(eps[1], rms(w)) · ρ · u

    eps: the least of √v, the type's rounding unit for None, and the least scale of a step. Arrays with three axes or
    more are many matrices. Raises ConfigurationError for a negative number or a positive beta2_decay.

    >>> import chainrule as cr
    >>> w = cr.Parameter([[2.0]])
    >>> optimizer = Adafactor([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.item()
    1.5
    """

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults: Group = {"lr": lr, "beta2_decay": beta2_decay, "eps": tuple(eps), "d": d}
        super().__init__(params, defaults | {"weight_decay": weight_decay, "maximize": maximize})

    def _check(self, group: Group) -> None:
        checks.not_negative(lr=group["lr"], weight_decay=group["weight_decay"])
        checks.not_negative(**{"eps[0]": group["eps"][0] or 0.0, "eps[1]": group["eps"][1]})
        checks.between("beta2_decay", group["beta2_decay"], -math.inf, 0.0)
        checks.positive(d=group["d"])

    def _state_names(self, group: Group) -> tuple[str, ...]:
        return ("step", "row_var", "col_var", "variance")

    def _initial(self, name: str, parameter: Tensor, group: Group) -> NumpyArray:
        """Of row_var, col_var and variance those that a parameter does not need are empty."""
        *batch, rows, columns = (*(1,) * (2 - parameter.ndim), *parameter.shape)
        is_matrix = parameter.ndim > 1
        shapes = {
            "row_var": (*batch, rows, 1) if is_matrix else (0,),
            "col_var": (*batch, 1, columns) if is_matrix else (0,),
            "variance": (0,) if is_matrix else parameter.shape,
        }
        return np.zeros(shapes[name], parameter.dtype) if name in shapes else super()._initial(name, parameter, group)

    def _restored(self, index: int, given: Mapping[str, Any], parameter: Tensor, group: Group) -> State:
        """PyTorch leaves out what is empty here."""
        empty = {name: self._initial(name, parameter, group) for name in ("row_var", "col_var", "variance")}
        missing = {name: each for name, each in empty.items() if not each.size and name not in given}
        return super()._restored(index, {**given, **missing}, parameter, group)

    def _update(self, parameter: Tensor, gradient: Tensor, state: State, group: Group) -> None:
        step = count_step(state)
        gradient = -gradient if group["maximize"] else gradient
        fresh = scalar(step ** group["beta2_decay"], gradient)  # 1 - β
        least, smallest = group["eps"]
        least = float(np.finfo(parameter.dtype).eps) if least is None else least
        variance = _second_moment(gradient, state, fresh, least)
        move = gradient * rsqrt(maximum(variance, least * least))
        move = move / maximum(_rms(move) / group["d"], 1.0)
        rate = scalar(group["lr"], parameter)
        slower = smaller(rate, scalar(1.0 / sqrt(step), parameter))
        kept = parameter * (1 - rate * group["weight_decay"])
        parameter.assign(kept - move * (maximum(_rms(parameter), smallest) * slower))


def _rms(x: Any) -> Any:
    return sqrt(mean(x * x))


def _second_moment(gradient: Any, state: State, fresh: Any, least: float) -> Any:
    squares = gradient * gradient
    if gradient.ndim < 2:
        state["variance"].assign(state["variance"] * (1 - fresh) + squares * fresh)
        return state["variance"]
    rows, columns = state["row_var"], state["col_var"]
    rows.assign(rows + (mean(squares, axis=-1, keepdims=True) - rows) * fresh)
    columns.assign(columns + (mean(squares, axis=-2, keepdims=True) - columns) * fresh)
    return rows * columns / maximum(mean(rows, axis=-2, keepdims=True), least)
