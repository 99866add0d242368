"""Which program fits a call: by the types of the arrays among its arguments, and by everything else as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...ir.types import ArrayType, NumpyArray, as_dtype, is_known, native
from ...tensor import Parameter, Tensor
from ..machine.memory import as_array


def is_array(leaf: Any) -> bool:
    """Whether an argument is an array that changes from call to call; parameters are cells."""
    if isinstance(leaf, Tensor):
        return not isinstance(leaf, Parameter) and not leaf.requires_grad
    return isinstance(leaf, np.ndarray | np.generic) and is_known(native(leaf.dtype))


def static(leaf: Any) -> Any:
    """What an argument that is no array is known by. Raises DtypeError for an array that no program can take."""
    if isinstance(leaf, np.ndarray):
        as_dtype(leaf.dtype)
    if isinstance(leaf, float | complex):
        return (type(leaf), repr(leaf))  # 0.0 and -0.0 are equal, and not the same
    try:
        hash(leaf)
    except TypeError:
        return ("object", id(leaf))
    return (type(leaf), leaf)


def pattern_of(leaves: Sequence[Any]) -> tuple[Any, ...]:
    """The types of arrays, and what else is known by itself."""
    return tuple(ArrayType(leaf.shape, native(leaf.dtype)) if is_array(leaf) else static(leaf) for leaf in leaves)


def plain_arrays(args: Sequence[Any]) -> list[NumpyArray] | None:
    """Arguments that are nothing but arrays, as dense arrays: the usual call, told quickly. None for any other."""
    arrays = []
    for argument in args:
        if type(argument) is Tensor:
            value = argument._own_value
            array = value.data
            if value.tracked or array is None:
                return None
        elif type(argument) is np.ndarray:
            array = argument
        else:
            return None
        arrays.append(array if array.flags.c_contiguous else as_array(array))
    return arrays


class Signature:
    """Shapes and element types of plain arrays, compared quickly."""

    def __init__(self, kinds: Sequence[ArrayType], recording: bool) -> None:
        self.shapes = [kind.shape for kind in kinds]
        self.dtypes = [kind.dtype for kind in kinds]
        self.recording = recording

    def fits(self, arrays: Sequence[NumpyArray], recording: bool) -> bool:
        """Whether these arrays have them."""
        return (
            self.recording == recording
            and [array.shape for array in arrays] == self.shapes
            and [array.dtype for array in arrays] == self.dtypes
        )
