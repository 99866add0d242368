"""Which program fits a call: by the types of the arrays among its arguments, and by everything else as it is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import is_dataclass
from typing import Any

import numpy as np

from ... import tree
from ...ir.types import ArrayType, NumpyArray, as_dtype, is_known, native
from ...records import dataclass
from ...tensor import Parameter, Tensor
from ..machine.memory import as_array


def is_array(leaf: Any, own: Collection[int] = ()) -> bool:
    """Whether an argument is an array that changes with each call; parameters are cells, and tensors of these ids."""
    if isinstance(leaf, Tensor):
        return not isinstance(leaf, Parameter) and not leaf.requires_grad and id(leaf) not in own
    return isinstance(leaf, np.ndarray | np.generic) and is_known(native(leaf.dtype))


@dataclass(frozen=True, eq=False)
class Itself:
    """Known by being the same object, which is kept so that no other takes its place in memory."""

    thing: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Itself) and self.thing is other.thing

    def __hash__(self) -> int:
        return id(self.thing)


def held_by(containers: Any) -> tuple[Any, ...]:
    """What containers of kinds of their own (modules) are known by besides the leaves that they list.

    One with parameters is itself. Others by what else they hold: options (the slope of a LeakyReLU) count by what they
    are, modules, buffers and the rest by being the same.
    """
    children = tree.children_of(containers)
    if children is None:
        return ()
    found: list[Any] = []
    if is_dataclass(containers):
        found += [(name, _held(each)) for name, each in tree.set_later(containers).items()]
    elif not isinstance(containers, dict | list | tuple):
        found.append(_own(containers, children.values))
    for value in children.values:
        found += held_by(value)
    return tuple(found)


def _own(container: Any, leaves: Sequence[Any]) -> Any:
    if any(isinstance(leaf, Parameter) for leaf in leaves):
        return Itself(container)
    listed = set(map(id, leaves))
    attributes = getattr(container, "__dict__", {}).items()
    return tuple((name, _held(each)) for name, each in attributes if id(each) not in listed)


def _held(attribute: Any) -> Any:
    if isinstance(attribute, dict):
        return tuple((key, _held(each)) for key, each in attribute.items())
    if isinstance(attribute, tuple):
        return tuple(map(_held, attribute))
    return static(attribute) if isinstance(attribute, bool | int | float | complex | str) else Itself(attribute)


def static(leaf: Any) -> Any:
    """What an argument that is no array is known by. Raises DtypeError for an array that no program can take."""
    if isinstance(leaf, np.ndarray):
        as_dtype(leaf.dtype)
    if isinstance(leaf, Tensor):  # compared, they give arrays
        return (type(leaf), Itself(leaf))
    if isinstance(leaf, float | complex):
        return (type(leaf), repr(leaf))  # 0.0 and -0.0 are equal, and not the same
    try:
        hash(leaf)
    except TypeError:
        return ("object", Itself(leaf))
    return (type(leaf), leaf)


def pattern_of(leaves: Sequence[Any], own: Collection[int] = ()) -> tuple[Any, ...]:
    """The types of arrays, and what else is known by itself, tensors of these ids too."""
    return tuple(ArrayType(leaf.shape, native(leaf.dtype)) if is_array(leaf, own) else static(leaf) for leaf in leaves)


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
