"""Sequences of arrays, and values that may be missing. They exist only while a network is run or traced."""

from __future__ import annotations

from typing import Any

import numpy as np

from .... import functions as fn
from ..call import ArraySequence, Call, OnnxError, numbers, operator, shape_of


def _place(position: Any, length: int, last: int) -> int:
    (place,) = numbers(position, "a position in a sequence")
    place = place + length if place < 0 else place
    if not 0 <= place <= last:
        raise OnnxError(f"position {place} is not in a sequence of {length} arrays")
    return place


@operator("SequenceConstruct")
def _construct(call: Call, *arrays: Any) -> ArraySequence:
    return ArraySequence(arrays)


@operator("SequenceEmpty")
def _empty(call: Call) -> ArraySequence:
    return ArraySequence(())


@operator("SequenceAt")
def _at(call: Call, sequence: ArraySequence, position: Any) -> Any:
    return sequence.arrays[_place(position, len(sequence.arrays), len(sequence.arrays) - 1)]


@operator("SequenceInsert")
def _insert(call: Call, sequence: ArraySequence, array: Any, position: Any = None) -> ArraySequence:
    arrays = sequence.arrays
    place = len(arrays) if position is None else _place(position, len(arrays), len(arrays))
    return ArraySequence((*arrays[:place], array, *arrays[place:]))


@operator("SequenceErase")
def _erase(call: Call, sequence: ArraySequence, position: Any = None) -> ArraySequence:
    arrays = sequence.arrays
    place = len(arrays) - 1 if position is None else _place(position, len(arrays), len(arrays) - 1)
    return ArraySequence((*arrays[:place], *arrays[place + 1 :]))


@operator("SequenceLength")
def _length(call: Call, sequence: ArraySequence) -> Any:
    return np.array(len(sequence.arrays), np.int64)


@operator("ConcatFromSequence")
def _concat(call: Call, sequence: ArraySequence) -> Any:
    join = fn.stack if call.get("new_axis", 0) else fn.concat
    return join(sequence.arrays, axis=call.get("axis"))


@operator("SplitToSequence")
def _split(call: Call, x: Any, sizes: Any = None) -> ArraySequence:
    axis = call.get("axis", 0) % len(shape_of(x))
    length = shape_of(x)[axis]
    if sizes is None:
        parts = [1] * length
    elif not shape_of(sizes):
        (each,) = numbers(sizes, "the sizes of SplitToSequence")
        parts = [min(each, length - start) for start in range(0, length, each)]
    else:
        parts = numbers(sizes, "the sizes of SplitToSequence")
    pieces = fn.split(fn.asarray(x), parts, axis=axis)
    if sizes is None and not call.get("keepdims", 1):
        pieces = [fn.squeeze(piece, axis) for piece in pieces]
    return ArraySequence(tuple(pieces))


@operator("Optional")
def _optional(call: Call, value: Any = None) -> Any:
    return value


@operator("OptionalHasElement")
def _has_element(call: Call, value: Any = None) -> Any:
    return np.array(value is not None)


@operator("OptionalGetElement")
def _get_element(call: Call, value: Any) -> Any:
    if value is None:
        raise OnnxError("OptionalGetElement is given nothing")
    return value
