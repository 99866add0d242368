"""What all optimisers share: parameter groups, state, zero_grad, and the walk over the parameters in `step`.

An optimiser names the arrays it keeps for a parameter (`_state_names`), says how they start (`_initial`), and moves one
parameter (`_update`). Its numbers are tensors (cells) replaced with `assign`, the count of steps too, and the update is
written in the engine's operations: so a traced step can run any number of times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ..capture_told import live
from ..errors import ConfigurationError, ShapeError
from ..functions import astype
from ..ir.build import recording
from ..ir.types import NumpyArray, float64
from ..tensor import Moment, Tensor
from . import checks
from .groups import as_groups, check_new, parameter_list
from .state import check_layout, restored_arrays, snapshot

Group = dict[str, Any]
State = dict[str, Any]
Closure = Callable[[], Any]
Parameters = Iterable[Tensor] | Iterable[Mapping[str, Any]]


class Optimizer:
    """Base of all optimisers: moves parameters against their gradients.

    params: tensors, or dicts {"params": tensors, "lr": ...} (parameter groups) that override the defaults.
    param_groups: the groups, each a dict with "params" and every option; options may be changed between steps.
    state: for each parameter the arrays kept for it, as tensors.
    Raises ConfigurationError for no parameters, a parameter given twice, or options out of range.
    """

    def __init__(self, params: Parameters, defaults: Group) -> None:
        self.defaults = dict(defaults)
        self.param_groups: list[Group] = []
        self.state: dict[Tensor, State] = {}
        self.moving = {"lr"}  # options that change from step to step: a compiled step reads them anew
        for group in as_groups(params):
            self.add_param_group(group)

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Add parameters, with options of their own, after the fact (layers that were frozen before)."""
        if not isinstance(param_group, Mapping) or "params" not in param_group:
            raise ConfigurationError(
                'a parameter group is a dict with "params" and options, {"params": [...], "lr": 0.1}'
            )
        group = {**param_group, "params": parameter_list(param_group["params"])}
        group = {"params": group["params"], **self.defaults, **group}
        check_new([each for other in self.param_groups for each in other["params"]], group["params"])
        self._check(group)
        self.param_groups.append(group)

    def step(self, closure: Closure | None = None) -> Any:
        """Move every parameter that has a gradient. `closure` computes the loss anew first; its value is returned."""
        loss = None if closure is None else evaluate(closure)
        with recording(False):
            for group in self.param_groups:
                self._step_group(group)
        return loss

    def _step_group(self, group: Group) -> None:
        options = live(group, self.moving, self.defaults)
        for parameter in group["params"]:
            if parameter.grad is None:
                continue
            if parameter.grad.shape != parameter.shape:
                raise ShapeError(
                    f"a parameter of shape {parameter.shape} has a gradient of shape {parameter.grad.shape}"
                )
            self._update(parameter, parameter.grad, self._state_of(parameter, group), options)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients, or with set_to_none=False make them zero."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if set_to_none or parameter.grad is None:
                    parameter.grad = None
                else:
                    parameter.grad = Tensor(np.zeros(parameter.shape, parameter.dtype))

    # -- what each optimiser says for itself

    def _check(self, group: Group) -> None:
        """Raise ConfigurationError where an option of the group is out of range."""
        checks.not_negative(lr=group["lr"])

    def _state_names(self, group: Group) -> tuple[str, ...]:
        """Names of the arrays kept for each parameter of the group."""
        return ()

    def _initial(self, name: str, parameter: Tensor, group: Group) -> NumpyArray:
        """What the array `name` holds before the first step."""
        return np.zeros((), float64) if name == "step" else np.zeros(parameter.shape, parameter.dtype)

    def _update(self, parameter: Tensor, gradient: Tensor, state: State, group: Group) -> None:
        """One step of one parameter."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it updates a parameter")

    def _state_of(self, parameter: Tensor, group: Group) -> State:
        state = self.state.setdefault(parameter, {})
        for name in self._state_names(group):
            if name not in state:
                state.setdefault(name, Moment(self._initial(name, parameter, group)))  # another thread may come first
        return state

    # -- saving and restoring

    def state_dict(self, *, copy: bool = True) -> dict[str, Any]:
        """Everything but the parameters, in PyTorch's layout: arrays are copies, parameters are numbered.

        {"state": {0: {"step": ..., "exp_avg": ...}}, "param_groups": [{"lr": ..., "params": [0, 1]}]}
        copy: False for arrays that only look at what there is now, for who writes them down at once.
        """
        return snapshot(self.param_groups, self.state, copy)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore what `state_dict` gave, to the bit. PyTorch's own state dicts load too.

        Raises ConfigurationError that says what differs; then nothing is changed.
        """
        groups = check_layout(self.param_groups, state_dict)
        restored: dict[Tensor, State] = {}
        index = 0
        for group, given in zip(self.param_groups, groups):
            wanted = {**given, "params": group["params"]}
            self._check(wanted)
            for parameter in group["params"]:
                if arrays := state_dict["state"].get(index):
                    restored[parameter] = self._restored(index, arrays, parameter, wanted)
                index += 1
        for group, given in zip(self.param_groups, groups):
            group.update(given, params=group["params"])
        self._replace_state(restored)

    def _restored(self, index: int, given: Mapping[str, Any], parameter: Tensor, group: Group) -> State:
        expected = {name: self._initial(name, parameter, group) for name in self._state_names(group)}
        return restored_arrays(f"{type(self).__name__} state of parameter {index}", given, expected)

    def _replace_state(self, restored: dict[Tensor, State]) -> None:
        """Put restored arrays into the cells there are, so that a compiled step sees them; make those that are not."""
        for parameter in [each for each in self.state if each not in restored]:
            del self.state[parameter]
        for parameter, arrays in restored.items():
            before = self.state.get(parameter, {})
            self.state[parameter] = {name: _cell(before.get(name), array) for name, array in arrays.items()}

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for number, group in enumerate(self.param_groups):
            options = ", ".join(f"{name}={option!r}" for name, option in group.items() if name != "params")
            lines.append(f"  group {number}: {len(group['params'])} parameters, {options}")
        return "\n".join([*lines, ")"])


def _cell(before: Any, array: Any) -> Any:
    if not isinstance(array, np.ndarray):
        return array
    if isinstance(before, Tensor) and before.shape == array.shape and before.dtype == array.dtype:
        return before.assign(array)
    return Moment(array)


def evaluate(closure: Closure) -> Any:
    """The loss of `closure`, which computes gradients although the step around it records none."""
    with recording(True):
        return closure()


# -- the arithmetic that optimisers share


def direction(parameter: Tensor, gradient: Tensor, group: Group) -> Tensor:
    """The gradient to go against: with the sign for `maximize` and the pull of L2 `weight_decay`."""
    gradient = -gradient if group["maximize"] else gradient
    decay = group["weight_decay"]
    return gradient if is_zero(decay) else gradient + scalar(decay, parameter) * parameter


def decayed(parameter: Tensor, gradient: Tensor, group: Group) -> tuple[Tensor, Tensor]:
    """The direction, and the parameter to move from, with `weight_decay` in the one or, decoupled, in the other."""
    if not group["decoupled_weight_decay"]:
        return direction(parameter, gradient, group), parameter
    gradient = -gradient if group["maximize"] else gradient
    kept: Tensor = parameter * (1 - scalar(group["lr"], parameter) * group["weight_decay"])
    return gradient, kept


def scalar(number: Any, like: Tensor) -> Any:
    """A number fit to scale `like`: Python numbers are, a tensor (a learning rate kept as a cell) is cast."""
    return astype(number, like.dtype) if isinstance(number, Tensor) else number


def is_zero(option: Any) -> bool:
    """Whether an option is the number 0; what moves from step to step is not."""
    return not isinstance(option, Tensor) and bool(option == 0)


def count_step(state: State) -> Tensor:
    """One more step in the state of a parameter; the count as a float64 tensor."""
    step: Tensor = state["step"]
    return step.assign(step + 1.0)
