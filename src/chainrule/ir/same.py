"""Whether two graphs are the same program, written down twice."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from .graph import Graph, Value


def same_graph(one: Graph, other: Graph) -> bool:
    """Whether they do the same to the bit by the same equations in the same order. In doubt they do not."""
    if len(one.inputs) != len(other.inputs) or len(one.equations) != len(other.equations):
        return False
    pairs: dict[int, Value] = {}  # id of a value of one -> that of the other
    if not _paired(one.inputs, other.inputs, pairs):
        return False
    for mine, theirs in zip(one.equations, other.equations):
        if mine.primitive is not theirs.primitive or not _same_values(mine.inputs, theirs.inputs, pairs):
            return False
        if not _same_parameter(dict(mine.params), dict(theirs.params)):
            return False
        if not _paired(mine.outputs, theirs.outputs, pairs):
            return False
    return _same_values(one.outputs, other.outputs, pairs)


def _paired(mine: tuple[Value, ...], theirs: tuple[Value, ...], pairs: dict[int, Value]) -> bool:
    pairs.update((id(value), other) for value, other in zip(mine, theirs))
    return [value.type for value in mine] == [value.type for value in theirs]


def _same_values(mine: tuple[Value, ...], theirs: tuple[Value, ...], pairs: dict[int, Value]) -> bool:
    return len(mine) == len(theirs) and all(_same_value(*each, pairs) for each in zip(mine, theirs))


def _same_value(mine: Value, theirs: Value, pairs: dict[int, Value]) -> bool:
    if id(mine) in pairs:
        return pairs[id(mine)] is theirs
    if mine.data is None or theirs.data is None or mine.type != theirs.type:
        return False
    return mine.data is theirs.data or mine.data.tobytes() == theirs.data.tobytes()


def _same_parameter(mine: Any, theirs: Any) -> bool:
    if mine is theirs:
        return True
    if type(mine) is not type(theirs):
        return False
    if isinstance(mine, Graph):
        return same_graph(mine, theirs)
    if isinstance(mine, dict):
        return mine.keys() == theirs.keys() and all(_same_parameter(each, theirs[key]) for key, each in mine.items())
    if isinstance(mine, tuple | list):
        return len(mine) == len(theirs) and all(map(_same_parameter, mine, theirs))
    if dataclasses.is_dataclass(mine):
        fields = [field.name for field in dataclasses.fields(mine)]
        return all(_same_parameter(getattr(mine, name), getattr(theirs, name)) for name in fields)
    plain = isinstance(mine, bool | int | float | complex | str | bytes | np.generic | np.dtype)
    return plain and repr(mine) == repr(theirs)
