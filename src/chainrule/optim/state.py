"""The state of an optimiser as plain data, in PyTorch's layout, and back, with every difference named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import ConfigurationError
from ..ir.types import NumpyArray
from ..tensor import Tensor

# How PyTorch runs an update; it has no meaning here and is dropped when its state dicts are loaded.
EXECUTION_OPTIONS = ("foreach", "capturable", "differentiable", "fused")


def snapshot(
    groups: Sequence[Mapping[str, Any]], state: Mapping[Tensor, Mapping[str, Any]], copy: bool
) -> dict[str, Any]:
    """Groups and state with parameters replaced by their numbers and tensors by their arrays, or copies of them."""
    ordered = [parameter for group in groups for parameter in group["params"]]
    number_of = {id(parameter): index for index, parameter in enumerate(ordered)}
    return {
        "state": {
            index: {name: _plain(each, copy) for name, each in state[parameter].items()}
            for index, parameter in enumerate(ordered)
            if state.get(parameter)
        },
        "param_groups": [
            {name: _option(option) for name, option in group.items() if name != "params"}
            | {"params": [number_of[id(parameter)] for parameter in group["params"]]}
            for group in groups
        ],
    }


def _plain(kept: Any, copy: bool) -> Any:
    if not isinstance(kept, Tensor):
        return kept
    return np.array(kept.numpy()) if copy else kept.numpy()


def _option(option: Any) -> Any:
    return option.item() if isinstance(option, Tensor) else option


def check_layout(groups: Sequence[Mapping[str, Any]], state_dict: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The options of the saved groups, if the state dict has the groups and parameters that the optimiser has."""
    if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= set(state_dict):
        raise ConfigurationError('an optimiser state dict has the keys "state" and "param_groups"')
    saved = state_dict["param_groups"]
    if len(saved) != len(groups):
        raise ConfigurationError(
            f"the optimiser has {len(groups)} parameter groups, but the state dict has {len(saved)}"
        )
    for number, (group, given) in enumerate(zip(groups, saved)):
        _check_group(number, group, given)
    _check_indices([index for given in saved for index in given["params"]], state_dict["state"])
    return [_options(group, given) for group, given in zip(groups, saved)]


def _options(group: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    dropped = {*EXECUTION_OPTIONS, "params"}
    if "decoupled_weight_decay" not in group:  # PyTorch's Adam has it, to tell AdamW apart
        dropped.add("decoupled_weight_decay")
    return {name: option for name, option in given.items() if name not in dropped}


def _check_group(number: int, group: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    expected, found = len(group["params"]), len(given.get("params", ()))
    if expected != found:
        raise ConfigurationError(f"parameter group {number} has {expected} parameters, but {found} in the state dict")
    # what a schedule added to a group may be absent on one side; what the optimiser itself needs may not
    missing = sorted(
        set(group) - set(given) - {"params", "initial_lr", "max_lr", "min_lr", "max_momentum", "base_momentum"}
    )
    if missing:
        raise ConfigurationError(
            f"the state dict is of another kind of optimiser: its parameter group {number} lacks {', '.join(missing)}"
        )


def _check_indices(indices: list[int], state: Mapping[int, Any]) -> None:
    if indices != list(range(len(indices))):
        raise ConfigurationError(
            f"the parameters of a state dict are numbered 0, 1, 2, ..., but here they are {indices}"
        )
    if unknown := sorted(set(state) - set(indices)):
        raise ConfigurationError(
            f"the state dict has state for parameters {unknown}, but only {len(indices)} are listed"
        )


def restored_arrays(place: str, given: Mapping[str, Any], expected: Mapping[str, NumpyArray]) -> dict[str, NumpyArray]:
    """The arrays given, not copied, if their names, shapes and element types are those expected."""
    present = {name: each for name, each in given.items() if each is not None}
    missing, surplus = sorted(set(expected) - set(present)), sorted(set(present) - set(expected))
    if missing or surplus:
        found = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"has unknown {', '.join(surplus)}"] * bool(surplus)
        raise ConfigurationError(f"{place}: the state dict {' and '.join(found)}")
    return {name: _restored(f"{place}, {name}", present[name], start) for name, start in expected.items()}


def array_of(given: Any) -> NumpyArray:
    """A copy of an array, a number, or a tensor of ours or of PyTorch."""
    return np.array(_as_array(given))


def _as_array(given: Any) -> NumpyArray:
    return np.asarray(given.numpy() if hasattr(given, "numpy") else given)


def _restored(place: str, given: Any, start: NumpyArray) -> NumpyArray:
    array = _as_array(given)
    if array.ndim == 0 == start.ndim:
        return array.astype(start.dtype)  # a count may be an int, a float32 (PyTorch) or a float64
    if array.shape != start.shape or array.dtype != start.dtype:
        raise ConfigurationError(
            f"{place}: expected {start.dtype} of shape {start.shape}, "
            f"but the state dict has {array.dtype} of shape {array.shape}"
        )
    return array
