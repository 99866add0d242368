"""Arrays that a function makes from the size of its batch: one number, or numbers in even steps along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import TraceError
from ...ir.graph import Value
from ...ir.types import NumpyArray
from .package import onnx
from .sizes import UNLIKE
from .writer import Writer

TOLERANCE = 1e-6


def counted(w: Writer, value: Value, arrays: Sequence[NumpyArray]) -> str:
    """The name of the array; arrays: what it is for each of the batches that were traced."""
    if all(each.size and np.all(each == each.flat[0]) for each in arrays):
        return _one_number(w, value, np.array([each.flat[0] for each in arrays], np.float64))
    growing = [axis for axis, size in enumerate(w.twins.shape(value)) if not size.is_known]
    if len(growing) == 1:
        return _steps(w, value, arrays, growing[0])
    raise TraceError(UNLIKE.format(what="an array that the function makes changes"))


def _one_number(w: Writer, value: Value, numbers: NumpyArray) -> str:
    """The same number everywhere: a multiple of the batch plus a number, or one over that."""
    for inverse in (False, True):
        with np.errstate(all="ignore"):
            wanted = 1 / numbers if inverse else numbers
            line = _line(w, wanted)
        if line is not None:
            number = w.in_main(
                "Add", w.in_main("Mul", _batch(w), w.constant(np.array([line[0]]))), w.constant(line[1:])
            )
            number = w.in_main("Reciprocal", number) if inverse else number
            number = w.in_main("Reshape", _as(w, number, value), w.constant(np.zeros(0, np.int64)))
            return w.in_main("Expand", number, w.sizes(w.twins.shape(value))) if value.ndim else number
    raise TraceError(UNLIKE.format(what="a number that the function makes changes"))


def _line(w: Writer, numbers: NumpyArray) -> NumpyArray | None:
    """(slope, number at a batch of 0), if the numbers lie on a line."""
    batches = np.array(w.twins.batches, np.float64)
    slope = (numbers[1] - numbers[0]) / (batches[1] - batches[0])
    base = numbers[0] - slope * batches[0]
    fits = np.allclose(base + slope * batches, numbers, rtol=TOLERANCE, atol=0)
    return np.array([slope, base]) if fits and np.isfinite(slope) else None


def _steps(w: Writer, value: Value, arrays: Sequence[NumpyArray], axis: int) -> str:
    """Along an axis as long as the batch says, every slice is the one before plus the same step."""
    longest = max(arrays, key=np.size)
    first, second = (np.take(longest, [place], axis) for place in (0, 1))
    step = second - first
    wide = (-1, *(1,) * (value.ndim - axis - 1))
    for each in arrays:
        wanted = first + step * np.arange(each.shape[axis]).reshape(wide)
        if not np.allclose(wanted, each, rtol=TOLERANCE, atol=0):
            raise TraceError(UNLIKE.format(what="an array that the function makes changes"))
    length = w.in_main("Squeeze", w.sizes([w.twins.shape(value)[axis]]))
    ends = [w.constant(np.array(number, np.int64)) for number in (0, 1)]
    counts = _as(w, w.in_main("Range", ends[0], length, ends[1]), value)
    counts = w.in_main("Reshape", counts, w.constant(np.array(wide, np.int64)))
    return w.in_main("Add", w.in_main("Mul", counts, w.constant(step)), w.constant(first))


def _batch(w: Writer) -> str:
    assert w.batch is not None
    return w.in_main("Cast", w.batch, to=_code(np.float64))


def _as(w: Writer, name: str, value: Value) -> str:
    return w.in_main("Cast", name, to=_code(value.dtype))


def _code(dtype: Any) -> int:
    return int(onnx().helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
