"""Taking over a state dict: everything is checked before anything is changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..errors import CheckpointError
from ..ir.types import NumpyArray, is_real_float
from ..tensor import Tensor


class LoadedKeys(NamedTuple):
    """Names that the module has and the state lacked, and the other way round."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def checked_state(
    own: Mapping[str, Tensor], given: Mapping[str, Any], strict: bool, owner: str
) -> tuple[dict[str, NumpyArray], LoadedKeys]:
    """The arrays to assign, by path, not copied; raises CheckpointError that lists everything that does not fit."""
    if not isinstance(given, Mapping):
        raise CheckpointError(f"a state dict maps names to arrays, but was given {type(given).__name__}")
    keys = LoadedKeys([path for path in own if path not in given], [path for path in given if path not in own])
    found = {path: (tensor, _as_array(given[path])) for path, tensor in own.items() if path in given}
    listed = {
        "missing": keys.missing_keys if strict else [],
        "unexpected": list(map(str, keys.unexpected_keys)) if strict else [],
        "of another shape": [_shapes(path, *pair) for path, pair in found.items() if pair[0].shape != pair[1].shape],
        "of another kind": [_kinds(path, *pair) for path, pair in found.items() if not _holds(*pair)],
    }
    problems = [f"{what}: {', '.join(which)}" for what, which in listed.items() if which]
    if problems:
        raise CheckpointError(f"this state does not fit {owner}; {'; '.join(problems)} (nothing was loaded)")
    return {path: array.astype(tensor.dtype, copy=False) for path, (tensor, array) in found.items()}, keys


def _as_array(given: Any) -> NumpyArray:
    if hasattr(given, "detach"):  # a tensor, ours or PyTorch's, which may still require a gradient
        given = given.detach()
    try:
        return np.asarray(given)
    except (TypeError, ValueError, RuntimeError):
        return np.asarray(None)  # of kind "O", which no tensor holds


def _shapes(path: str, tensor: Tensor, array: NumpyArray) -> str:
    return f"{path} is {tensor.shape} here but {array.shape} in the state"


def _kinds(path: str, tensor: Tensor, array: NumpyArray) -> str:
    return f"{path} is {tensor.dtype} here but {array.dtype} in the state"


def _holds(tensor: Tensor, array: NumpyArray) -> bool:
    """Whether the elements keep their meaning: floats take any real numbers, integers only integers."""
    return array.dtype.kind in "iub" or (is_real_float(tensor.dtype) and is_real_float(array.dtype))
