"""Merge equations that compute the same from the same values, and constants that are the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from typing import Any

import numpy as np

from ..ir.graph import Equation, Graph, Value
from ..ir.primitive import Primitive
from ..ir.show import is_splat
from ..ops import elementwise as ew
from .rewrite import Inputs, Rewriter

SMALL = 4096
"""Bytes up to which constants are compared by their elements."""
# Not maximum and minimum: of 0.0 and -0.0 they may return either.
COMMUTATIVE: frozenset[Primitive] = frozenset(
    (ew.add, ew.multiply, ew.equal, ew.not_equal, ew.bitwise_and, ew.bitwise_or, ew.bitwise_xor)
)


def merge_equal(graph: Graph) -> Graph:
    """`graph` with each computation done once."""
    rewriter = Rewriter(graph)
    merge_constants(rewriter)
    seen: dict[Hashable, Equation] = {}
    for equation in graph.equations:
        inputs = rewriter.inputs_of(equation)
        key = _key(equation, inputs)
        first = seen.get(key)
        if first is not None:
            rewriter.replace(equation, first.outputs)
            continue
        rewriter.keep(equation, inputs)
        seen[key] = rewriter.equations[-1]
    return rewriter.finish()


def merge_constants(rewriter: Rewriter) -> None:
    """Let all constants of one content be read as the first of them."""
    first: dict[Hashable, Value] = {}
    looked_at: set[int] = set()
    graph = rewriter.graph
    for value in [*(value for equation in graph.equations for value in equation.inputs), *graph.outputs]:
        if value.data is None or id(value) in looked_at or not rewriter.is_constant(value):
            continue
        looked_at.add(id(value))
        same = first.setdefault(_content(value, value.data), value)
        if same is not value:
            rewriter.use(value, same)


def _content(value: Value, array: np.ndarray[Any, Any]) -> Hashable:
    if is_splat(value):
        return "splat", value.type, array[(0,) * array.ndim].tobytes()
    if array.nbytes <= SMALL:
        return "small", value.type, array.tobytes()
    return "memory", value.type, array.__array_interface__["data"][0], array.strides


def _key(equation: Equation, inputs: Inputs) -> Hashable:
    """Equal only for equations that compute the same (but for the payload of a NaN made of two)."""
    read = [id(value) for value in inputs]
    if equation.primitive in COMMUTATIVE:
        read.sort()
    if not equation.params:
        return equation.primitive, *read
    return equation.primitive, *read, *[(name, frozen(each)) for name, each in equation.params.items()]


def frozen(parameter: Any) -> Hashable:
    """A key that only equal parameters share: 1, 1.0 and True differ, and so do 0.0 and -0.0."""
    kind = type(parameter)
    if kind is int or kind is str or kind is bool or parameter is None:
        return kind, parameter
    if kind is tuple:
        return kind, tuple([frozen(each) for each in parameter])
    if isinstance(parameter, float | np.generic):
        return kind, np.asarray(parameter).tobytes()
    if dataclasses.is_dataclass(parameter) and "__eq__" in vars(kind):
        return kind, tuple(frozen(getattr(parameter, field.name)) for field in dataclasses.fields(parameter))
    if kind.__hash__ is None or isinstance(parameter, tuple | frozenset):
        return "identity", id(parameter)
    return kind, parameter
