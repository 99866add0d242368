"""A checkpoint: everything a run needs to go on, as one safetensors file, so that it is whole or not there at all.

The state is any nest of dicts, lists, tuples, numbers, texts and arrays. Arrays become tensors of the file; the rest is
JSON in its header. Floats keep their bits. Nothing in the file can run code.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CheckpointError
from ..interop.safetensors import load_file, read_metadata, save_file
from ..ir.types import NumpyArray
from ..tensor import Tensor

FORMAT = "chainrule checkpoint 1"


def save(path: Path, state: Any) -> None:
    """Write `state` atomically."""
    arrays: dict[str, NumpyArray] = {}
    packed = _pack(state, "state", arrays)
    save_file(arrays, path, {"format": FORMAT, "state": json.dumps(packed)})


def load(path: Path) -> Any:
    """Read what `save` wrote; raises CheckpointError where the file is missing, damaged, or something else."""
    arrays, metadata = load_file(path), read_metadata(path)
    if metadata.get("format") != FORMAT:
        raise CheckpointError(f"{path} is not a checkpoint of this version: its format is {metadata.get('format')!r}")
    try:
        return _unpack(json.loads(metadata["state"]), arrays)
    except (KeyError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path} is damaged: {error!r}") from error


def _pack(state: Any, path: str, arrays: dict[str, NumpyArray]) -> Any:
    if isinstance(state, np.ndarray | Tensor):
        arrays[path] = np.asarray(state)
        return {"$array": path}
    if isinstance(state, np.generic):
        return state.item()
    if isinstance(state, dict):
        return {"$dict": [[key, _pack(each, f"{path}/{key}", arrays)] for key, each in state.items()]}
    if isinstance(state, list | tuple):
        listed = [_pack(each, f"{path}/{place}", arrays) for place, each in enumerate(state)]
        return {"$tuple": listed} if isinstance(state, tuple) else listed
    if state is None or isinstance(state, bool | int | float | str):
        return state
    raise CheckpointError(f"{path} is a {type(state).__name__}, which a checkpoint can't hold")


def _unpack(packed: Any, arrays: dict[str, NumpyArray]) -> Any:
    if isinstance(packed, list):
        return [_unpack(each, arrays) for each in packed]
    if not isinstance(packed, dict):
        return packed
    if "$array" in packed:
        return arrays[packed["$array"]]
    if "$tuple" in packed:
        return tuple(_unpack(each, arrays) for each in packed["$tuple"])
    return {key: _unpack(each, arrays) for key, each in packed["$dict"]}


def differences(saved: dict[str, Any], here: dict[str, Any]) -> Iterator[str]:
    """How two descriptions of a run differ, in words."""
    for name in {**saved, **here}:
        if saved.get(name) != here.get(name):
            yield f"{name} was {saved.get(name)!r} and is {here.get(name)!r} here"
