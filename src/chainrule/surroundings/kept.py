"""Traced values that outlive their trace: in a cache of a function, or left where the next trace reads them."""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from .. import tree
from ..errors import TraceError
from ..ir.graph import Graph, Value
from ..names import name_of
from ..tensor import Tensor

LEFT = (
    "the function reads a value of type {kind}{place} that it computed while traced before, and kept (in a list, "
    "a dict, an attribute, a cache): each call computes such values anew and keeps none. Return it and give it to the "
    "next call, or keep it in a tensor that is assigned to (t.assign(...))"
)
CACHED = (
    "functools.cache (or lru_cache) would keep what {name} gave for later calls, but in a compiled function that is a "
    "traced value, which each call computes anew. Call {name}.__wrapped__ here, take the cache away, or let it give "
    "what no tensor leads to (NumPy arrays, numbers)"
)


def refuse_kept(caches: Sequence[Any], made: Collection[int]) -> None:
    """Raises a TraceError where a cache holds a tensor of the present trace; it is emptied."""
    for cache in caches:
        kept = [each for each in _held(cache) if id(each) in made and each._own_value.data is None]
        if kept:
            cache.cache_clear()
            raise TraceError(CACHED.format(name=name_of(cache.__wrapped__)))


def _held(cache: Any) -> Iterator[Tensor]:
    """Tensors that a cache of Python's holds: only the garbage collector looks inside."""
    for each in gc.get_referents(cache):
        for leaf in tree.leaves(each):
            if isinstance(leaf, Tensor):
                yield leaf


def refuse_left(graph: Graph) -> None:
    """Raises a TraceError where a graph reads a traced value that another trace made, at the line that reads it."""
    known = {id(value) for value in graph.inputs}
    for equation in graph.equations:
        for value in equation.inputs:
            if value.data is None and id(value) not in known:
                raise TraceError(LEFT.format(kind=value.type, place=_place(value)), equation.source)
        known.update(id(value) for value in equation.outputs)
    for value in graph.outputs:
        if value.data is None and id(value) not in known:
            raise TraceError(LEFT.format(kind=value.type, place=_place(value)))


def _place(value: Value) -> str:
    return f" (made at {value.source})" if value.source else ""
