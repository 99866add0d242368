"""Taking over a state dict: everything is checked before anything is changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import CheckpointError
from ..ir.types import NumpyArray
from ..tensor import Tensor


def checked_state(
    own: Mapping[str, Tensor], given: Mapping[str, Any], strict: bool, owner: str
) -> dict[str, NumpyArray]:
    """The arrays to assign, by path; raises CheckpointError that lists everything that does not fit."""
    missing = [path for path in own if path not in given] if strict else []
    unexpected = [path for path in given if path not in own] if strict else []
    arrays = {path: np.asarray(given[path]) for path in own if path in given}
    wrong = [
        f"{path} is {own[path].shape} here but {array.shape} in the state"
        for path, array in arrays.items()
        if array.shape != own[path].shape
    ]
    problems = [
        *([f"missing: {', '.join(missing)}"] if missing else []),
        *([f"unexpected: {', '.join(unexpected)}"] if unexpected else []),
        *([f"of another shape: {'; '.join(wrong)}"] if wrong else []),
    ]
    if problems:
        raise CheckpointError(f"this state does not fit {owner}; " + "; ".join(problems) + " (nothing was loaded)")
    return {path: array.astype(own[path].dtype) for path, array in arrays.items()}
