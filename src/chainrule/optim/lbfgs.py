"""L-BFGS: a quasi-Newton method for the whole data set at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import ConfigurationError, TraceError
from ..ir.types import NumpyArray
from ..tensor import Tensor, in_trace
from . import checks
from .curvature import first_length, largest, quasi_newton_direction, remember
from .line_search import Point, dot, strong_wolfe
from .optimizer import Closure, Group, Optimizer, Parameters, State, evaluate
from .state import array_of


class LBFGS(Optimizer):
    """L-BFGS (Liu and Nocedal 1989; Nocedal and Wright, algorithms 7.4 and 3.5); PyTorch's arguments and formulas.

    `step(closure)` makes up to max_iter iterations and returns the loss it began with; the closure zeroes the
    gradients, computes the loss of the whole data set, calls backward, and returns the loss.

    lr: step length, with line_search_fn="strong_wolfe" only the first one tried (then leave it at 1).
    max_eval: limit of closure calls in a step, max_iter * 5 // 4 by default. history_size: pairs remembered.
    tolerance_grad, tolerance_change: stop where the largest gradient, or the change of loss or parameters, is below.
    One parameter group only. What is decided from the loss can't be compiled: runs eagerly.
    Raises ConfigurationError for options out of range, TraceError in a trace.

    >>> import chainrule as cr
    >>> w = cr.Parameter([3.0, -4.0])
    >>> optimizer = LBFGS([w], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (w * w).sum()
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure).item()
    25.0
    >>> closure().item() < 1e-6
    True
    """

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        limit = max_iter * 5 // 4 if max_eval is None else max_eval
        defaults: Group = {"lr": lr, "max_iter": max_iter, "max_eval": limit, "tolerance_grad": tolerance_grad}
        defaults |= {
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Only the first group: all parameters move together."""
        if self.param_groups:
            raise ConfigurationError("LBFGS moves all parameters together: it takes one parameter group")
        super().add_param_group(param_group)

    def _check(self, group: Group) -> None:
        checks.not_negative(lr=group["lr"], tolerance_grad=group["tolerance_grad"])
        checks.not_negative(tolerance_change=group["tolerance_change"])
        checks.whole_and_positive(max_iter=group["max_iter"], history_size=group["history_size"])
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise ConfigurationError(f'line_search_fn is None or "strong_wolfe", but is {group["line_search_fn"]!r}')

    # -- one step: up to max_iter iterations

    def step(self, closure: Closure | None = None) -> Any:
        """Iterate until a tolerance or a limit is reached; returns the loss before the first iteration."""
        if closure is None:
            raise ConfigurationError("LBFGS evaluates the loss several times a step: call step(closure)")
        if in_trace():
            raise TraceError(
                "LBFGS decides from the loss how far to go, so it can't be traced or compiled: call "
                "step(closure) eagerly, and give fit no compile=True"
            )
        group, state = self.param_groups[0], self._common_state()
        first_loss = evaluate(closure)
        self._iterate(closure, float(first_loss), group, state)
        return first_loss

    def _common_state(self) -> State:
        """The state of all parameters together; PyTorch keeps it under the first one."""
        state = self.state.setdefault(self.param_groups[0]["params"][0], {})
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        return state

    def _iterate(self, closure: Closure, loss: float, group: Group, state: State) -> None:
        state["func_evals"] += 1
        evaluations = 1
        gradient = self._flat_gradient()
        if largest(gradient) <= group["tolerance_grad"]:
            return
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            remember(state, gradient, group["history_size"])
            direction, before = quasi_newton_direction(state, gradient), loss
            length = float(group["lr"]) * (first_length(gradient) if state["n_iter"] == 1 else 1.0)
            state.update(d=direction, t=length, prev_flat_grad=gradient, prev_loss=before)
            slope = dot(gradient, direction)
            if slope > -group["tolerance_change"]:
                return
            last = iteration == group["max_iter"]
            start = Point(0.0, loss, gradient, slope)
            loss, gradient, length, used = self._move(closure, start, direction, length, evaluations, group, last)
            state["t"] = length
            evaluations += used
            state["func_evals"] += used
            if last or evaluations >= group["max_eval"] or largest(gradient) <= group["tolerance_grad"]:
                return
            if (
                largest(direction * length) <= group["tolerance_change"]
                or abs(loss - before) < group["tolerance_change"]
            ):
                return

    def _move(
        self, closure: Closure, start: Point, direction: NumpyArray, length: float, used: int, group: Group, last: bool
    ) -> tuple[float, NumpyArray, float, int]:
        """Move the parameters along the direction; the loss and gradient there, the length, the evaluations used."""
        origin = [np.array(parameter.numpy()) for parameter in group["params"]]
        if group["line_search_fn"] is None:
            self._place(origin, direction, length)
            if last:  # with noisy losses there is no use to evaluate the last one
                return start.loss, start.gradient, length, 0
            return float(evaluate(closure)), self._flat_gradient(), length, 1

        def evaluate_at(position: float) -> Point:
            self._place(origin, direction, position)
            loss, gradient = float(evaluate(closure)), self._flat_gradient()
            return Point(position, loss, gradient, dot(gradient, direction))

        budget = group["max_eval"] - used
        found, count = strong_wolfe(evaluate_at, start, length, largest(direction), budget)
        self._place(origin, direction, found.position)
        return found.loss, found.gradient, found.position, count

    def _flat_gradient(self) -> NumpyArray:
        """All gradients in one vector; zeros where a parameter has none."""
        return np.concatenate([_gradient_of(parameter).reshape(-1) for parameter in self.param_groups[0]["params"]])

    def _place(self, origin: list[NumpyArray], direction: NumpyArray, length: float) -> None:
        """Put the parameters at origin + length · direction."""
        start = 0
        for parameter, array in zip(self.param_groups[0]["params"], origin):
            part = direction[start : start + array.size].reshape(array.shape)
            parameter.assign((array + length * part).astype(array.dtype))
            start += array.size

    # -- saving and restoring: the remembered pairs are one array of a row each

    def state_dict(self, *, copy: bool = True) -> dict[str, Any]:
        """As for every optimiser; "old_dirs" and "old_stps" are arrays of shape (pairs, elements of all parameters)."""
        plain = super().state_dict(copy=copy)
        for arrays in plain["state"].values():
            arrays |= {name: np.array(arrays[name]) for name in ("old_dirs", "old_stps", "ro") if name in arrays}
            arrays |= {name: arrays[name].copy() for name in ("d", "prev_flat_grad") if name in arrays}
        return plain

    def _restored(self, index: int, given: Mapping[str, Any], parameter: Tensor, group: Group) -> State:
        names = (
            "func_evals",
            "n_iter",
            "d",
            "t",
            "old_dirs",
            "old_stps",
            "ro",
            "H_diag",
            "prev_flat_grad",
            "prev_loss",
        )
        if unknown := set(given) - {*names, "al"}:  # "al" is scratch space that PyTorch leaves in its state
            raise ConfigurationError(f"LBFGS state of parameter {index}: unknown {', '.join(sorted(unknown))}")
        restored: State = {name: int(given[name]) for name in ("func_evals", "n_iter")}
        size = sum(parameter.size for parameter in group["params"])
        for name in ("d", "prev_flat_grad") if "d" in given else ():
            restored[name] = _vector(name, given[name], size)
        for name in ("old_dirs", "old_stps") if "d" in given else ():
            restored[name] = [_vector(name, row, size) for row in given[name]]
        restored |= {name: float(given[name]) for name in ("t", "H_diag", "prev_loss") if name in given}
        return restored | ({"ro": [float(each) for each in given["ro"]]} if "ro" in given else {})

    def _replace_state(self, restored: dict[Tensor, State]) -> None:
        self.state = restored  # plain arrays: no compiled step holds cells of them


def _vector(name: str, given: Any, size: int) -> NumpyArray:
    array = array_of(given)
    if array.shape != (size,):
        raise ConfigurationError(
            f"LBFGS state {name}: expected {size} elements, but the state dict has shape {array.shape}"
        )
    return array


def _gradient_of(parameter: Tensor) -> NumpyArray:
    return np.zeros(parameter.shape, parameter.dtype) if parameter.grad is None else parameter.grad.numpy()
