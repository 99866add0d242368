"""What x[key] = value means: a new array, with some elements of x and some of value. Made of primitives, on Values.

Where an element is written more than once, the last one stays, as in NumPy. Gradients go to x where it was kept, and to
value where it was taken.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DtypeError, ShapeError
from ..ir.build import constant, splat
from ..ir.graph import Value
from ..ir.types import ArrayType, bool_, int64
from . import elementwise as ew
from . import indexing, reduction, structure
from .arrays import concat
from .getitem import getitem
from .operators import astype, broadcast, is_weak, lift, reshape


def with_items(x: Any, key: Any, value: Any) -> Value:
    """x with the elements that x[key] names replaced by `value`, which is broadcast to their shape."""
    array = lift(x)
    new = _fitting(array, value)
    if isinstance(key, Value) and key.dtype == bool_ and key.ndim > 0 and new.ndim <= array.ndim - key.ndim:
        return _where_mask(array, key, new)
    numbers = constant(np.arange(array.size).reshape(array.shape))
    places = getitem(numbers, key)
    taken = reshape(_fit(new, places.shape, array), (places.size,))
    if not places.size:
        return array
    source = _known_source(places, array.size) if places.data is not None else _source(places, array.size)
    kept = reshape(array, (array.size,))
    chosen = indexing.gather(taken, ew.maximum(source, splat(0, source.type)))
    return reshape(ew.where(source >= 0, chosen, kept), array.shape)


def _fitting(array: Value, value: Any) -> Value:
    new = lift(value, array.dtype) if is_weak(value) else lift(value)
    ranks = {kind: rank for rank, kinds in enumerate(("b", "iu", "fV", "c")) for kind in kinds}
    if ranks[new.dtype.kind] > ranks[array.dtype.kind]:
        raise DtypeError(f"elements of {new.type} do not fit into {array.type}; cast them with astype")
    return astype(new, array.dtype)


def _fit(new: Value, shape: tuple[int, ...], array: Value) -> Value:
    while new.ndim > len(shape) and new.shape[0] == 1:  # as NumPy has it
        new = reshape(new, new.shape[1:])
    try:
        return broadcast(new, shape)
    except ShapeError:
        raise ShapeError(f"{new.type} can't be broadcast to {shape}, the elements of {array.type} to replace") from None


def _where_mask(array: Value, mask: Value, new: Value) -> Value:
    if mask.shape != array.shape[: mask.ndim]:
        raise ShapeError(f"a mask must have the shape of the axes it picks from, but is {mask.type} for {array.type}")
    wide = broadcast(reshape(mask, (*mask.shape, *(1,) * (array.ndim - mask.ndim))), array.shape)
    result: Value = ew.where(wide, _fit(new, array.shape, array), array)
    return result


def _known_source(places: Value, size: int) -> Value:
    """For each element of x the number of the one that replaces it; -1 where none does."""
    source = np.full(size, -1)
    source[np.asarray(places.data).reshape(-1)] = np.arange(places.size)
    return constant(source)


def _source(places: Value, size: int) -> Value:
    """The same for places that are not known: they are sorted, and the last of equal ones counts."""
    flat = reshape(places, (places.size,))
    order = reduction.argsort(flat, axis=0)
    ordered: Value = indexing.gather(flat, order)
    count = places.size
    changes = structure.narrow(ordered, 0, 1, count) != structure.narrow(ordered, 0, 0, count - 1)
    is_last = concat([changes, splat(True, ArrayType((1,), bool_))])
    numbers = ew.where(is_last, order + 1, splat(0, order.type))
    none = splat(0, ArrayType((size,), int64))
    result: Value = indexing.scatter_add(none, ordered, numbers) - 1
    return result
