"""Array functions made of primitives, with NumPy's arguments (axis, keepdims). On Values; no rules of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ConfigurationError, ShapeError
from ..ir.build import constant, splat
from ..ir.graph import Value
from ..ir.types import (
    ArrayType,
    Shape,
    as_dtype,
    as_integer,
    as_shape,
    as_sizes,
    bool_,
    broadcast_shapes,
    int64,
    normalize_axes,
    normalize_axis,
    promote,
)
from . import broadcasting, reduction, structure
from . import complex as parts
from . import elementwise as ew
from .operators import astype, broadcast, check_fits, floating, lift
from .operators import reshape as reshape_to

Axis = int | tuple[int, ...] | list[int] | None

# -- reductions


def _reduced(primitive: Any, x: Value, axis: Axis, keepdims: bool) -> Value:
    axes = normalize_axes(axis, x.ndim)
    result: Value = primitive(x, axes=axes)
    return reshape_to(result, broadcasting.kept_shape(x.shape, axes)) if keepdims else result


def sum(x: Any, axis: Axis = None, keepdims: bool = False, dtype: Any = None) -> Value:
    """Sum over `axis`; bools and small integers are summed in int64."""
    value = lift(x)
    wanted = as_dtype(dtype) if dtype is not None else summed_dtype(value)
    return _reduced(broadcasting.sum, astype(value, wanted), axis, keepdims)


def summed_dtype(value: Value) -> Any:
    """The element type in which sums and products are taken: that of floats, int64 or uint64 of others."""
    if value.type.is_float:
        return value.dtype
    return np.dtype(np.uint64) if value.dtype.kind == "u" else int64


def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Value:
    """Arithmetic mean over `axis`; NaN where there is nothing to average."""
    value = floating(x)
    count = math.prod(value.shape[axis] for axis in normalize_axes(axis, value.ndim))
    total = _reduced(broadcasting.sum, value, axis, keepdims)
    return total / count if count else total * math.nan


def var(x: Any, axis: Axis = None, correction: float = 0.0, keepdims: bool = False) -> Value:
    """Variance over `axis`: squares about the mean divided by (n - correction)."""
    value = floating(x)
    count = math.prod(value.shape[axis] for axis in normalize_axes(axis, value.ndim))
    centred = value - mean(value, axis, keepdims=True)
    total = _reduced(broadcasting.sum, squares(centred), axis, keepdims)
    return total / (count - correction) if count > correction else total * math.nan


def squares(x: Value) -> Value:
    """The square of the size of each element."""
    if not x.type.is_complex:
        return x * x
    real, imag = parts.real(x), parts.imag(x)
    result: Value = real * real + imag * imag
    return result


def std(x: Any, axis: Axis = None, correction: float = 0.0, keepdims: bool = False) -> Value:
    """Standard deviation over `axis`; where all elements are equal it is 0 and so is its gradient."""
    variance = var(x, axis, correction, keepdims)
    constant = ew.equal(variance, splat(0, variance.type))
    root = ew.sqrt(ew.where(constant, splat(1, variance.type), variance))
    result: Value = ew.where(constant, splat(0, variance.type), root)
    return result


def max(x: Any, axis: Axis = None, keepdims: bool = False) -> Value:
    """Largest element over `axis`; equal largest elements share the gradient."""
    return _reduced(reduction.max, lift(x), axis, keepdims)


def min(x: Any, axis: Axis = None, keepdims: bool = False) -> Value:
    """Smallest element over `axis`; equal smallest elements share the gradient."""
    return _reduced(reduction.min, lift(x), axis, keepdims)


def all(x: Any, axis: Axis = None, keepdims: bool = False) -> Value:
    """Whether all elements over `axis` are true."""
    return _reduced(reduction.all, astype(x, bool_), axis, keepdims)


def any(x: Any, axis: Axis = None, keepdims: bool = False) -> Value:
    """Whether an element over `axis` is true."""
    return _reduced(reduction.any, astype(x, bool_), axis, keepdims)


def prod(x: Any, axis: Axis = None, keepdims: bool = False, dtype: Any = None) -> Value:
    """Product over `axis`, by halves: exact derivatives of any order also where elements are zero.

    Bools and small integers are multiplied in int64, as `sum` adds them.
    """
    value = lift(x)
    value = astype(value, as_dtype(dtype) if dtype is not None else summed_dtype(value))
    axes = normalize_axes(axis, value.ndim)
    rest = tuple(other for other in range(value.ndim) if other not in axes)
    kept = tuple(value.shape[other] for other in rest)
    flat = reshape_to(permute_dims(value, (*axes, *rest)), (_count(value.shape, axes), *kept))
    product = _product_of_rows(flat)
    return reshape_to(product, broadcasting.kept_shape(value.shape, axes)) if keepdims else product


def _count(shape: Shape, axes: tuple[int, ...]) -> int:
    return math.prod(shape[axis] for axis in axes)


def _product_of_rows(rows: Value) -> Value:
    if rows.shape[0] == 0:
        return splat(1, ArrayType(rows.shape[1:], rows.dtype))
    while rows.shape[0] > 1:
        half = rows.shape[0] // 2
        product = structure.narrow(rows, 0, 0, half) * structure.narrow(rows, 0, half, 2 * half)
        odd = rows.shape[0] % 2
        rows = concat([product, structure.narrow(rows, 0, 2 * half, 2 * half + 1)]) if odd else product
    return reshape_to(rows, rows.shape[1:])


def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> Value:
    """log(sum(exp(x))) over `axis` without overflow."""
    value = floating(x)
    if not _count(value.shape, normalize_axes(axis, value.ndim)):  # the logarithm of a sum of nothing
        return sum(value, axis, keepdims) - math.inf
    largest = ew.stop_gradient(max(value, axis, keepdims=True))
    shift = ew.where(ew.isfinite(largest), largest, splat(0, largest.type))
    total: Value = ew.log(sum(ew.exp(value - shift), axis, keepdims=True)) + shift
    return total if keepdims else squeeze(total, normalize_axes(axis, value.ndim))


def _position(primitive: Any, x: Any, axis: int | None, keepdims: bool) -> Value:
    value = lift(x)
    value = astype(value, np.int8) if value.dtype == bool_ else value
    if axis is None:
        result: Value = primitive(reshape_to(value, (value.size,)), axis=0)
        return reshape_to(result, (1,) * value.ndim) if keepdims else result
    place = normalize_axis(axis, value.ndim)
    result = primitive(value, axis=place)
    return expand_dims(result, place) if keepdims else result


def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Value:
    """Index of the first largest element; over all elements when axis is None."""
    return _position(reduction.argmax, x, axis, keepdims)


def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Value:
    """Index of the first smallest element; over all elements when axis is None."""
    return _position(reduction.argmin, x, axis, keepdims)


def argsort(x: Any, axis: int = -1, descending: bool = False, stable: bool = True) -> Value:
    """Indices that sort along `axis`; equal elements keep their order, asked for or not. NaN comes last, or first."""
    value = lift(x)
    place = normalize_axis(axis, value.ndim)
    if not descending:
        result: Value = reduction.argsort(value, axis=place)
        return result
    backward = reduction.argsort(structure.flip(value, axes=(place,)), axis=place)
    flipped: Value = structure.flip(backward, axes=(place,))
    return value.shape[place] - 1 - flipped


def axis_of_running(name: str, x: Any, axis: int | None) -> tuple[Value, int]:
    """An array and the axis that a running result goes along: a vector needs not say it."""
    value = lift(x)
    if axis is None and value.ndim != 1:
        raise ShapeError(f"{name} of {value.type} needs axis=: only a vector has a single one")
    return value, normalize_axis(0 if axis is None else axis, value.ndim)


def cumulative_sum(x: Any, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Value:
    """Running sum along `axis`; with include_initial a zero comes first."""
    value, place = axis_of_running("cumulative_sum", x, axis)
    value = astype(value, as_dtype(dtype) if dtype is not None else summed_dtype(value))
    result: Value = reduction.cumulative_sum(value, axis=place)
    if not include_initial:
        return result
    zero = splat(0, value.type.with_shape(broadcasting.kept_shape(value.shape, (place,))))
    return concat([zero, result], axis=place)


# -- shape


def reshape(x: Any, shape: int | Sequence[int], copy: bool | None = None) -> Value:
    """The same elements in another shape; one size may be -1: whatever remains. Values don't change: none is copied."""
    value = lift(x)
    wanted = as_sizes(shape)
    if wanted.count(-1) > 1:
        raise ShapeError(f"reshape to {wanted}: only one size may be -1")
    known = math.prod(size for size in wanted if size != -1)
    if -1 in wanted and (known == 0 or value.size % known):
        raise ShapeError(f"reshape: {value.type} has {value.size} elements, which {wanted} can't divide")
    return reshape_to(value, tuple(value.size // known if size == -1 else int(size) for size in wanted))


def permute_dims(x: Any, axes: Sequence[int]) -> Value:
    """Axes in another order."""
    value = lift(x)
    order = tuple(normalize_axis(axis, value.ndim) for axis in axes)
    if order == tuple(range(value.ndim)):
        return value
    result: Value = structure.permute_dims(value, axes=order)
    return result


def matrix_transpose(x: Any) -> Value:
    """The last two axes swapped."""
    value = lift(x)
    if value.ndim < 2:
        raise ShapeError(f"matrix_transpose needs at least two axes, but was given {value.type}")
    return permute_dims(value, (*range(value.ndim - 2), value.ndim - 1, value.ndim - 2))


def reverse_dims(x: Any) -> Value:
    """All axes in reverse order."""
    value = lift(x)
    return permute_dims(value, range(value.ndim)[::-1])


def moveaxis(x: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Value:
    """One axis, or several, moved to other places."""
    value = lift(x)
    starts, ends = (_places(axes, value.ndim) for axes in (source, destination))
    if len(starts) != len(ends):
        raise ShapeError(f"moveaxis: {len(starts)} axes can't go to {len(ends)} places")
    order = [axis for axis in range(value.ndim) if axis not in starts]
    for end, start in sorted(zip(ends, starts)):
        order.insert(end, start)
    return permute_dims(value, order)


def _places(axes: int | Sequence[int], ndim: int) -> list[int]:
    """Axes in the order given, counted from the front, none twice."""
    given: Any = axes if isinstance(axes, tuple | list) else [axes]
    listed = [normalize_axis(axis, ndim) for axis in given]
    normalize_axes(listed, ndim)
    return listed


def swapaxes(x: Any, first: int, second: int) -> Value:
    """Two axes exchanged."""
    value = lift(x)
    order = list(range(value.ndim))
    a, b = normalize_axis(first, value.ndim), normalize_axis(second, value.ndim)
    order[a], order[b] = b, a
    return permute_dims(value, order)


def expand_dims(x: Any, axis: int | Sequence[int] = 0) -> Value:
    """A new axis of size 1 at `axis`, or several, placed as they are in the result."""
    value = lift(x)
    several = len(axis) if isinstance(axis, tuple | list) else 1
    places = _places(axis, value.ndim + several)
    sizes = iter(value.shape)
    return reshape_to(value, tuple(1 if place in places else next(sizes) for place in range(value.ndim + several)))


def squeeze(x: Any, axis: Axis = None) -> Value:
    """Axes of size 1 removed: the ones named (an error if one is longer), or all."""
    value = lift(x)
    ones = tuple(place for place, size in enumerate(value.shape) if size == 1)
    axes = ones if axis is None else normalize_axes(axis, value.ndim)
    for place in axes:
        if value.shape[place] != 1:
            raise ShapeError(f"squeeze: axis {place} of {value.type} has size {value.shape[place]}, expected 1")
    return reshape_to(value, broadcasting.reduced_shape(value.shape, axes))


def flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> Value:
    """Axes from start_dim to end_dim joined into one."""
    value = lift(x)
    if value.ndim == 0:
        return reshape_to(value, (1,))
    start, end = normalize_axis(start_dim, value.ndim), normalize_axis(end_dim, value.ndim)
    if start > end:
        raise ShapeError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    joined = math.prod(value.shape[start : end + 1])
    return reshape_to(value, (*value.shape[:start], joined, *value.shape[end + 1 :]))


def broadcast_to(x: Any, shape: Sequence[int]) -> Value:
    """Repeated along axes of size 1 and new leading axes."""
    return broadcast(lift(x), as_shape(shape))


def broadcast_arrays(*arrays: Any) -> list[Value]:
    """All arrays broadcast to their common shape."""
    values = [lift(each) for each in arrays]
    shape = broadcast_shapes(*(value.shape for value in values))
    return [broadcast(value, shape) for value in values]


def meshgrid(*arrays: Any, indexing: str = "xy") -> list[Value]:
    """The coordinates of a grid from those along its axes; "xy" has the first two axes the other way round."""
    values = [lift(each) for each in arrays]
    if indexing not in ("xy", "ij"):
        raise ConfigurationError(f'meshgrid: indexing is "xy" or "ij", not {indexing!r}')
    if len({value.dtype for value in values}) > 1 or [value for value in values if value.ndim > 1]:
        listed = ", ".join(str(value.type) for value in values)
        raise ShapeError(f"meshgrid takes vectors of one element type, but was given {listed}")
    order = list(range(len(values)))
    order[:2] = order[:2][::-1] if indexing == "xy" else order[:2]
    sizes = tuple(values[place].size for place in order)
    shapes = [tuple(size if each == place else 1 for size, each in zip(sizes, order)) for place in range(len(values))]
    return [broadcast(reshape_to(value, shape), sizes) for value, shape in zip(values, shapes)]


def flip(x: Any, axis: Axis = None) -> Value:
    """Order of elements reversed along `axis`."""
    value = lift(x)
    result: Value = structure.flip(value, axes=normalize_axes(axis, value.ndim))
    return result


def tril(x: Any, k: int = 0) -> Value:
    """The lower triangle of the last two axes, zeros above the k-th diagonal."""
    value = _matrix("tril", x)
    mask = constant(np.tri(value.shape[-2], value.shape[-1], as_integer(k, "a diagonal"), dtype=bool))
    result: Value = ew.where(broadcast(mask, value.shape), value, splat(0, value.type))
    return result


def triu(x: Any, k: int = 0) -> Value:
    """The upper triangle of the last two axes, zeros below the k-th diagonal."""
    value = _matrix("triu", x)
    mask = constant(~np.tri(value.shape[-2], value.shape[-1], as_integer(k, "a diagonal") - 1, dtype=bool))
    result: Value = ew.where(broadcast(mask, value.shape), value, splat(0, value.type))
    return result


def _matrix(name: str, x: Any) -> Value:
    value = lift(x)
    if value.ndim < 2:
        raise ShapeError(f"{name} works on the last two axes, but was given {value.type}")
    return value


# -- joining and splitting


def concat(arrays: Sequence[Any], axis: int | None = 0) -> Value:
    """Arrays joined along an existing axis; flattened first when axis is None."""
    values = _promoted(_lifted("concat", arrays))
    if axis is None:
        values, axis = [reshape_to(value, (value.size,)) for value in values], 0
    place = normalize_axis(axis, values[0].ndim)
    result: Value = structure.concat(*values, axis=place)
    return result


def _lifted(name: str, arrays: Sequence[Any]) -> list[Value]:
    """The arrays of a sequence; an array counts as the sequence of its rows."""
    try:
        values = [lift(array) for array in arrays]
    except TypeError:
        raise ShapeError(f"{name} takes a sequence of arrays, but was given {arrays!r}") from None
    if not values:
        raise ShapeError(f"{name} needs at least one array")
    return values


def _promoted(values: list[Value]) -> list[Value]:
    dtype = values[0].dtype
    for value in values[1:]:
        dtype = promote(dtype, value.dtype)
    return [astype(value, dtype) for value in values]


def stack(arrays: Sequence[Any], axis: int = 0) -> Value:
    """Arrays of one shape joined along a new axis."""
    values = _lifted("stack", arrays)
    if len({value.shape for value in values}) > 1:
        listed = ", ".join(str(value.type) for value in values)
        raise ShapeError(f"stack needs arrays of one shape, but was given {listed}")
    return concat([expand_dims(value, axis) for value in values], axis=normalize_axis(axis, values[0].ndim + 1))


def split(x: Any, sizes: int | Sequence[int], axis: int = 0) -> tuple[Value, ...]:
    """Parts along `axis`: of the sizes listed, or each of the one size given (the last may be shorter)."""
    value = lift(x)
    place = normalize_axis(axis, value.ndim)
    total = value.shape[place]
    if [size for size in ([sizes - 1] if isinstance(sizes, int) else sizes) if size < 0]:
        raise ShapeError(f"split: sizes must not be negative (one size for all: at least 1), but were given as {sizes}")
    listed = [min_(sizes, total - start) for start in range(0, total, sizes)] if isinstance(sizes, int) else list(sizes)
    if np.sum(listed, dtype=int) != total:
        raise ShapeError(f"split sizes {listed} add up to {np.sum(listed, dtype=int)}, but axis {place} has {total}")
    ends = np.cumsum(listed, dtype=int)
    return tuple(structure.narrow(value, place, int(end) - size, int(end)) for end, size in zip(ends, listed))


def min_(first: int, second: int) -> int:
    """The smaller of two Python integers (`min` is the array function here)."""
    return first if first < second else second


def pad(x: Any, widths: Sequence[tuple[int, int]], value: float = 0.0) -> Value:
    """`value` added around: widths[i] = (before, after) along axis i; negative widths cut."""
    array = lift(x)
    if not _are_pairs(widths, array.ndim):
        raise ShapeError(f"pad: {array.type} needs {array.ndim} pairs of widths, but was given {widths}")
    for place, (before, after) in enumerate(widths):
        if before < 0 or after < 0:
            stop = array.shape[place] + (after if after < 0 else 0)
            array = structure.narrow(array, place, -before if before < 0 else 0, stop)
    low, high = (tuple(width if width > 0 else 0 for width in side) for side in zip(*widths)) if widths else ((), ())
    padded: Value = structure.pad(array, low=low, high=high, interior=(0,) * array.ndim)
    if value == 0:
        return padded
    if array.dtype.kind in "iu":
        check_fits(value, array.dtype)
    inside = structure.pad(splat(True, array.type.with_dtype(bool_)), low=low, high=high, interior=(0,) * array.ndim)
    result: Value = ew.where(inside, padded, splat(value, padded.type))
    return result


def _are_pairs(widths: Any, count: int) -> bool:
    if not hasattr(widths, "__len__") or len(widths) != count:
        return False
    return not [each for each in widths if np.shape(each) != (2,)]


# -- products


def vecdot(x: Any, y: Any, axis: int = -1) -> Value:
    """Sum of conj(x) · y along one axis, which must have one size; the others broadcast."""
    first, second = lift(x), lift(y)
    place = normalize_axis(axis, first.ndim) - first.ndim  # from the end: broadcasting adds axes in front
    if -place > second.ndim or first.shape[place] != second.shape[place]:
        raise ShapeError(f"vecdot along axis {axis} needs equal sizes, but was given {first.type} and {second.type}")
    products = ew.adjoint(first) * second
    return sum(products, place, dtype=products.dtype)


def outer(x: Any, y: Any) -> Value:
    """All products of the elements of two vectors."""
    first, second = lift(x), lift(y)
    if first.ndim != 1 or second.ndim != 1:
        raise ShapeError(f"outer takes two vectors, but was given {first.type} and {second.type}")
    return expand_dims(first, 1) * expand_dims(second, 0)


def tensordot(x: Any, y: Any, axes: int | tuple[Sequence[int], Sequence[int]] = 2) -> Value:
    """Sum of products over pairs of axes."""
    first, second = lift(x), lift(y)
    if isinstance(axes, int):
        axes = (tuple(range(first.ndim - axes, first.ndim)), tuple(range(axes)))
    left = tuple(normalize_axis(axis, first.ndim) for axis in axes[0])
    right = tuple(normalize_axis(axis, second.ndim) for axis in axes[1])
    _require_equal_sizes(first, left, second, right)
    left_rest = tuple(axis for axis in range(first.ndim) if axis not in left)
    right_rest = tuple(axis for axis in range(second.ndim) if axis not in right)
    rows, inner = _count(first.shape, left_rest), _count(first.shape, left)
    columns = _count(second.shape, right_rest)
    product = reshape(permute_dims(first, (*left_rest, *left)), (rows, inner)) @ reshape(
        permute_dims(second, (*right, *right_rest)), (_count(second.shape, right), columns)
    )
    return reshape_to(
        product,
        (*(first.shape[axis] for axis in left_rest), *(second.shape[axis] for axis in right_rest)),
    )


def _require_equal_sizes(first: Value, left: tuple[int, ...], second: Value, right: tuple[int, ...]) -> None:
    sizes = [tuple(value.shape[axis] for axis in axes) for value, axes in ((first, left), (second, right))]
    if sizes[0] != sizes[1]:
        raise ShapeError(
            f"tensordot sums over pairs of axes of equal sizes, but axes {left} of {first.type} have sizes {sizes[0]} "
            f"and axes {right} of {second.type} have sizes {sizes[1]}"
        )
