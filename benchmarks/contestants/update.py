"""The optimisers' formulas for JAX and TensorFlow, as pure functions of arrays in a dict."""

from __future__ import annotations

import math
from typing import Any

from workloads.base import Adam, Workload

State = dict[str, Any]


def first_moments(workload: Workload, weights: State, zeros_like: Any) -> State:
    """What the optimiser remembers before the first step, but the count of steps."""
    wanted = workload.optimizer
    if isinstance(wanted, Adam):
        kinds = ("mean", "square")
    else:
        kinds = ("velocity",) if wanted.momentum else ()
    return {f"{kind}/{name}": zeros_like(array) for kind in kinds for name, array in weights.items()}


def updated(
    workload: Workload, weights: State, moments: State, gradients: State, count: Any, sqrt: Any, expm1: Any
) -> tuple[State, State]:
    """New weights and moments; count is 1 in the first step, a float."""
    new_weights, new_moments = {}, {}
    wanted = workload.optimizer
    if isinstance(wanted, Adam):
        (beta1, beta2) = wanted.betas
        rate = wanted.lr / -expm1(count * math.log(beta1))
        root = sqrt(-expm1(count * math.log(beta2)))
    for name, weight in weights.items():
        gradient = gradients[name]
        if isinstance(wanted, Adam):
            mean = moments[f"mean/{name}"] * beta1 + gradient * (1 - beta1)
            square = moments[f"square/{name}"] * beta2 + gradient * gradient * (1 - beta2)
            new_moments |= {f"mean/{name}": mean, f"square/{name}": square}
            kept = weight * (1 - wanted.lr * wanted.decay) if wanted.decay else weight
            new_weights[name] = kept - rate * mean / (sqrt(square) / root + wanted.eps)
            continue
        if wanted.momentum:
            gradient = new_moments[f"velocity/{name}"] = moments[f"velocity/{name}"] * wanted.momentum + gradient
        new_weights[name] = weight - wanted.lr * gradient
    return new_weights, new_moments
