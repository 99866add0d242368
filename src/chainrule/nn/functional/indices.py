"""Indices: labels, rows of a table, classes. They are checked where they are known, and never wrap round."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import functions as f
from ...errors import DtypeError, OutOfRangeError
from ...tensor import Tensor, asarray


def check_range(name: str, what: str, indices: Tensor, count: int, meaning: str, ignored: int | None = None) -> bool:
    """Raise where an index is not 0 to count - 1 (and not `ignored`); gives whether any may be ignored."""
    if indices.dtype.kind not in "iu":
        raise DtypeError(f"{name} needs integers ({what}), but was given {indices.dtype}; cast them with astype")
    if indices.is_traced or not indices.size:
        return True
    numbers = indices.numpy()
    if numbers.min() >= 0 and numbers.max() < count:
        return ignored is not None and 0 <= ignored < count
    outside = (numbers < 0) | (numbers >= count)
    wrong = np.argwhere(outside if ignored is None else outside & (numbers != ignored))
    if len(wrong):
        place = tuple(map(int, wrong[0]))
        raise OutOfRangeError(
            f"{name}: the {what} {numbers[place]} at position {place} is out of range: "
            f"{meaning}, so it must be from 0 to {count - 1}"
        )
    return True


def none_wraps(indices: Tensor, count: int) -> Tensor:
    """In a program indices are checked only where they are used: there a negative one must not count from the end."""
    if not indices.is_traced or indices.dtype.kind == "u":
        return indices
    wide = f.astype(indices, "int64")
    result: Tensor = f.where(wide < 0, count, wide)
    return result


def one_hot(tensor: Any, num_classes: int = -1) -> Tensor:
    """Ones at the indices along a new last axis, int64; num_classes -1 means the largest index plus one.

    Raises OutOfRangeError that names the first index outside the classes.
    """
    indices = asarray(tensor)
    classes = int(indices.numpy().max(initial=-1)) + 1 if num_classes == -1 else num_classes
    check_range("one_hot", "index", indices, classes, f"there are {classes} classes")
    if indices.is_traced and classes:
        indices = f.take(f.arange(classes), none_wraps(indices, classes), 0)  # the same indices, but checked
    result: Tensor = f.one_hot(indices, classes, "int64")
    return result
