"""Arrays in tuples, lists and dicts: the shapes in which a data set is handed over.

Tuples and dicts are containers. A list is a container when it holds arrays or containers, else it is data itself:
`[images, labels]` is two arrays, `[[1, 2], [3, 4]]` is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError

Array: TypeAlias = NDArray[Any]
Nested: TypeAlias = Any  # an array, or a tuple, list or dict of Nested


def to_arrays(data: Nested, path: str = "data") -> Nested:
    """The same nest with every leaf a NumPy array; raises DataError where a leaf is no rectangular array."""
    if is_container(data):
        return map_children(lambda child, key: to_arrays(child, f"{path}{key}"), data)
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise DataError(f"{path} is not a rectangular array: {error}") from error
    if array.dtype == object:
        raise DataError(
            f"{path} is not an array: expected numbers in a rectangular array, got {type(data).__name__} "
            "(rows of different lengths, or mixed types?)"
        )
    return array


def map_leaves(function: Callable[[Array], Any], data: Nested) -> Nested:
    """`function` applied to every leaf, in the same nest."""
    if is_container(data):
        return map_children(lambda child, _: map_leaves(function, child), data)
    return function(data)


def leaves(data: Nested, path: str = "data") -> Iterator[tuple[str, Any]]:
    """Every leaf with its path, such as `data[0]` or `data['images']`."""
    if not is_container(data):
        yield path, data
        return
    for key, child in _children(data):
        yield from leaves(child, f"{path}{key}")


def common_length(data: Nested) -> int:
    """The number of examples all leaves share along axis 0; raises DataError where they differ or there are none."""
    named = list(leaves(data))
    if not named:
        raise DataError(f"expected arrays of examples, got an empty {type(data).__name__}")
    for path, array in named:
        if array.ndim == 0:
            raise DataError(
                f"{path} is a single value, {array!r}: expected an array with one example per row of axis 0"
            )
    lengths = {path: len(array) for path, array in named}
    if len(set(lengths.values())) > 1:
        listing = ", ".join(f"{path} has {length}" for path, length in lengths.items())
        raise DataError(f"all arrays need the same number of examples: {listing}")
    length = next(iter(lengths.values()))
    if length == 0:
        shapes = ", ".join(f"{path} has shape {array.shape}" for path, array in named)
        raise DataError(f"there are no examples: {shapes}")
    return length


def is_container(data: Nested) -> bool:
    """Whether this is a nest, not an array."""
    if isinstance(data, (tuple, dict)):
        return True
    return isinstance(data, list) and any(is_container(item) or _is_array(item) for item in data)


def map_children(function: Callable[[Any, str], Any], data: Nested) -> Nested:
    """`function(child, key)` applied to the direct children, in the same kind of container (named tuples too)."""
    results = {key: function(child, key) for key, child in _children(data)}
    if isinstance(data, dict):
        return dict(zip(data, results.values()))
    if hasattr(data, "_fields"):
        return type(data)(*results.values())
    return type(data)(results.values())


def _children(data: Nested) -> Iterator[tuple[str, Any]]:
    if isinstance(data, dict):
        return ((f"[{key!r}]", child) for key, child in data.items())
    return ((f"[{index}]", child) for index, child in enumerate(data))


def _is_array(item: Any) -> bool:
    return hasattr(item, "__array__") and not np.isscalar(item) and getattr(item, "ndim", 1) > 0
