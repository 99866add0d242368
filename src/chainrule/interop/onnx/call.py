"""An operator of ONNX being computed: its attributes, its version, the graphs in it; and the table of operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import ChainruleError, TraceError
from ...ir.types import NumpyArray
from ...tensor import Tensor


class OnnxError(ChainruleError, ValueError):
    """A file has something in it that can't be computed here; says what, and why."""


@dataclass(frozen=True)
class ArraySequence:
    """Several arrays as one value."""

    arrays: tuple[Any, ...]


Body = Callable[[Sequence[Any]], list[Any]]
"""A graph inside an operator, as a function of its inputs; it sees the values around it."""


@dataclass(frozen=True)
class Call:
    """What an operator is told besides its inputs. outputs: how many are asked for. training: the module trains."""

    operator: str
    attributes: Mapping[str, Any]
    opset: int
    outputs: int
    training: bool
    bodies: Mapping[str, Body]

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute, or the default where the file leaves it out."""
        return self.attributes.get(name, default)

    def text(self, name: str, default: str) -> str:
        """An attribute that is a word."""
        found = self.attributes.get(name, default)
        return found.decode() if isinstance(found, bytes) else str(found)


Operator = Callable[..., Any]
"""(call, *inputs) -> the outputs. Inputs are tensors, or arrays where they are known before anything runs; None where
the file leaves one out."""

OPERATORS: dict[str, Operator] = {}


def operator(*names: str) -> Callable[[Operator], Operator]:
    """Put a function into the table."""

    def put(function: Operator) -> Operator:
        for name in names:
            OPERATORS[name] = function
        return function

    return put


def known(value: Any, what: str) -> NumpyArray:
    """The elements of an input that decides about shapes; they must not depend on what the network is given."""
    if not isinstance(value, Tensor):
        return np.asarray(value)
    try:
        return value.numpy()
    except TraceError as error:
        raise OnnxError(f"{what} must be known before the network runs, but it is computed from its inputs") from error


def numbers(value: Any, what: str) -> list[int]:
    """Known integers."""
    return [int(each) for each in np.atleast_1d(known(value, what)).ravel()]


def axes_of(call: Call, given: Any) -> list[int] | None:
    """The axes of an operator: an input since some version, an attribute before; None where left out."""
    if given is not None:
        return numbers(given, f"the axes of {call.operator}")
    axes = call.get("axes")
    return None if axes is None else [int(axis) for axis in axes]


def dtype_of(value: Any) -> Any:
    """The element type of an input."""
    return np.dtype(value.dtype)


def shape_of(value: Any) -> tuple[int, ...]:
    """The shape of an input."""
    return tuple(value.shape)
