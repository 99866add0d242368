"""What L-BFGS remembers of the curvature: pairs of a move and the change of gradient over it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ir.types import NumpyArray
from .line_search import dot

State = dict[str, Any]
_SMALLEST = 1e-10  # a pair of less curvature would make the inverse Hessian indefinite


def largest(vector: NumpyArray) -> float:
    """The largest magnitude."""
    return float(np.max(np.abs(vector), initial=0.0))


def first_length(gradient: NumpyArray) -> float:
    """How far to go first, when nothing is known of the curvature: at most a move of 1 over all parameters."""
    magnitude = float(np.sum(np.abs(gradient)))
    return min(1.0, 1.0 / magnitude) if magnitude else 1.0


def remember(state: State, gradient: NumpyArray, history_size: int) -> None:
    """Add the last move and the change of gradient over it to the history, if they show curvature."""
    if state["n_iter"] == 1:
        state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
        return
    change, move = gradient - state["prev_flat_grad"], state["d"] * state["t"]
    curvature = dot(change, move)
    if curvature <= _SMALLEST:
        return
    for name, entry in (("old_dirs", change), ("old_stps", move), ("ro", 1.0 / curvature)):
        state[name] = [*state[name], entry][-history_size:]
    state["H_diag"] = curvature / dot(change, change)


def quasi_newton_direction(state: State, gradient: NumpyArray) -> NumpyArray:
    """Minus the approximate inverse Hessian times the gradient: the two-loop recursion."""
    pairs = list(zip(state["old_dirs"], state["old_stps"], state["ro"]))
    result = -gradient
    weights = []
    for change, move, inverse_curvature in reversed(pairs):
        weights.append(dot(move, result) * inverse_curvature)
        result = result - weights[-1] * change
    result = result * state["H_diag"]
    for (change, move, inverse_curvature), weight in zip(pairs, reversed(weights)):
        result = result + (weight - dot(change, result) * inverse_curvature) * move
    return np.asarray(result, gradient.dtype)
