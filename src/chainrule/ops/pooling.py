"""Pooling. Max: the largest of each window, and where it is. Average: sum windows, then divide.

All on (batch, channels, *sizes). The derivative of the largest puts cotangents where they were found: the first of
equal maxima, as in PyTorch; picking them up there again is its derivative, so that any order comes by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ir.graph import Value
from ..ir.primitive import Primitive, Sample, register
from ..ir.types import FLOATS, ArrayType, NumpyArray, Shape, int32
from .operators import floating
from .samples import spread, variants
from .structure import concat, narrow
from .type_rules import require_dtype
from .windows import Padding, inside, output_sizes, pad_spatial, taps


def _check(name: str, kind: ArrayType) -> None:
    require_dtype(name, kind, FLOATS)
    if kind.ndim < 3:
        raise ShapeError(f"{name} needs an input (batch, channels, *sizes), but was given {kind}")


def _counts(name: str, sizes: Shape, params: Any) -> Shape:
    return output_sizes(name, sizes, params["window"], params["stride"], params["padding"], params["dilation"])


def _settings() -> Iterator[tuple[Shape, dict[str, Any]]]:
    yield (2, 3, 6), _params((2,), (2,), ((0, 0),), (1,))
    yield (2, 2, 4, 6), _params((2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1))
    yield (1, 2, 5, 5), _params((3, 2), (2, 1), ((1, 1), (1, 0)), (1, 2))
    yield (0, 2, 4, 4), _params((2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1))
    yield (1, 1, 1), _params((1,), (1,), ((0, 0),), (1,))
    yield (1, 1, 3, 4, 3), _params((2, 2, 2), (1, 2, 1), ((0, 0), (0, 0), (1, 0)), (1, 1, 1))


def _params(window: Shape, stride: Shape, padding: Padding, dilation: Shape) -> dict[str, Any]:
    return {"window": window, "stride": stride, "padding": padding, "dilation": dilation}


# -- the maximum, and where it is


def _max_type(x: ArrayType, **params: Any) -> tuple[ArrayType, ArrayType]:
    _check("window_max", x)
    counts = x.shape[:2] + _counts("max_pool", x.shape[2:], params)
    return x.with_shape(counts), ArrayType(counts, int32)


def _window_max(x: NumpyArray, **params: Any) -> tuple[NumpyArray, NumpyArray]:
    """The largest, and flat positions in the plane. A later element wins only if it is larger, or the first NaN."""
    sizes, padding = x.shape[2:], params["padding"]
    counts = _counts("max_pool", sizes, params)
    padded = pad_spatial(x, padding, -np.inf)
    positions = pad_spatial(_places(sizes), padding, -1)
    taps_left = taps(params["window"], params["stride"], params["dilation"], counts)
    _, first = next(taps_left)
    best = np.array(padded[first])
    found = np.array(np.broadcast_to(positions[first], best.shape))
    edges = padded.shape != x.shape
    has_nan = bool(np.isnan(x).any())
    for _, index in taps_left:
        candidate, position = padded[index], positions[index]
        wins = candidate > best
        if has_nan:
            wins |= np.isnan(candidate) & ~np.isnan(best)
        if edges:  # an element of the padding never wins, not even over -inf
            wins = (wins | (found < 0)) & (position >= 0)
        np.copyto(best, candidate, where=wins)
        np.copyto(found, position, where=wins)
    return best, found


def _places(sizes: Shape) -> NumpyArray:
    return np.arange(math.prod(sizes), dtype=np.int32).reshape(1, 1, *sizes)


def _max_samples() -> Iterator[Sample]:
    for shape, params in _settings():
        yield Sample((spread(shape, -1, 1),), params, smooth=False)
        yield Sample((np.zeros(shape, np.float32),), params, smooth=False)
    yield from variants(Sample((spread((1, 2, 6), -1, 1),), _params((2,), (2,), ((0, 0),), (1,)), False), dtypes=())
    row = np.array([[[1.0, np.nan, 2.0, -np.inf, -np.inf, np.inf]]])
    yield Sample((row,), _params((2,), (2,), ((0, 0),), (1,)), smooth=False)


window_max: Primitive = register(
    Primitive(
        "window_max",
        _max_type,
        _window_max,
        (lambda g, y, x, **params: window_scatter(g[0], y[1], sizes=x.shape[2:], **params),),
        "max({0}; window {window})",
        _max_samples,
    )
)


def _scatter_type(g: ArrayType, positions: ArrayType, *, sizes: Shape, **params: Any) -> ArrayType:
    _check("window_scatter", g)
    x = g.with_shape(g.shape[:2] + sizes)
    if (g, positions) != _max_type(x, **params):
        raise ShapeError(f"window_scatter: windows over {x} give {_max_type(x, **params)}, not {g} and {positions}")
    return x


def _window_scatter(g: NumpyArray, positions: NumpyArray, *, sizes: Shape, **params: Any) -> NumpyArray:
    """Each element of g at its position; those that meet there add up, in the order of the taps."""
    padding: Padding = params["padding"]
    padded = np.zeros(g.shape[:2] + tuple(size + low + high for size, (low, high) in zip(sizes, padding)), g.dtype)
    places = pad_spatial(_places(sizes), padding, -2)
    for _, index in taps(params["window"], params["stride"], params["dilation"], g.shape[2:]):
        padded[index] += np.where(positions == places[index], g, 0)
    return np.asarray(padded[inside(padding, sizes)])


def _pick_type(x: ArrayType, positions: ArrayType, **params: Any) -> ArrayType:
    expected = _max_type(x, **params)
    if positions != expected[1]:
        raise ShapeError(f"window_pick: windows over {x} have positions {expected[1]}, not {positions}")
    return expected[0]


def _window_pick(x: NumpyArray, positions: NumpyArray, **params: Any) -> NumpyArray:
    """The elements at the positions; 0 where a window met nothing but padding."""
    flat = x.reshape(*x.shape[:2], math.prod(x.shape[2:]))
    wanted = positions.reshape(*x.shape[:2], math.prod(positions.shape[2:]))
    if not flat.shape[2] or not wanted.size:
        return np.zeros(positions.shape, x.dtype)
    found = np.take_along_axis(flat, np.maximum(wanted, 0), 2)
    return np.where(wanted < 0, np.zeros((), x.dtype), found).reshape(positions.shape)


def _positioned() -> Iterator[tuple[NumpyArray, NumpyArray, dict[str, Any]]]:
    """(x, positions of the largest in other numbers, parameters)."""
    for shape, params in _settings():
        yield spread(shape, -1, 1), _window_max(spread(shape, -1, 1, 1), **params)[1], params


def _scatter_samples() -> Iterator[Sample]:
    for x, positions, params in _positioned():
        yield Sample((spread(positions.shape, -1, 1), positions), {**params, "sizes": x.shape[2:]})
    x, positions, params = next(_positioned())
    sample = Sample((spread(positions.shape, -1, 1), positions), {**params, "sizes": x.shape[2:]})
    yield Sample((sample.inputs[0].astype(np.float32), positions), sample.params)
    yield from variants(sample, dtypes=())


def _pick_samples() -> Iterator[Sample]:
    for x, positions, params in _positioned():
        yield Sample((x, positions), params)
    x, positions, params = next(_positioned())
    yield Sample((x.astype(np.float32), positions), params)
    yield from variants(Sample((x, positions), params), dtypes=())


window_scatter: Primitive = register(
    Primitive(
        "window_scatter",
        _scatter_type,
        _window_scatter,
        (lambda k, y, g, positions, sizes, **params: window_pick(k, positions, **params), None),
        "scatter({0}; {1})",
        _scatter_samples,
    )
)

window_pick: Primitive = register(
    Primitive(
        "window_pick",
        _pick_type,
        _window_pick,
        (lambda k, y, x, positions, **params: window_scatter(k, positions, sizes=x.shape[2:], **params), None),
        "{0}[{1}]",
        _pick_samples,
    )
)

# -- sums of windows


def _sum_type(x: ArrayType, **params: Any) -> ArrayType:
    _check("window_sum", x)
    return x.with_shape(x.shape[:2] + _counts("window_sum", x.shape[2:], params))


def _window_sum(x: NumpyArray, **params: Any) -> NumpyArray:
    counts = _counts("window_sum", x.shape[2:], params)
    padded = pad_spatial(x, params["padding"])
    total = np.zeros(x.shape[:2] + counts, x.dtype)
    for _, index in taps(params["window"], params["stride"], params["dilation"], counts):
        total += padded[index]
    return total


def _spread_type(g: ArrayType, *, sizes: Shape, **params: Any) -> ArrayType:
    _check("window_spread", g)
    x = g.with_shape(g.shape[:2] + sizes)
    if _sum_type(x, **params) != g:
        raise ShapeError(f"window_spread: windows over {x} give {_sum_type(x, **params)}, but was given {g}")
    return x


def _window_spread(g: NumpyArray, *, sizes: Shape, **params: Any) -> NumpyArray:
    padding: Padding = params["padding"]
    padded = np.zeros(g.shape[:2] + tuple(size + low + high for size, (low, high) in zip(sizes, padding)), g.dtype)
    for _, index in taps(params["window"], params["stride"], params["dilation"], g.shape[2:]):
        padded[index] += g
    return np.asarray(padded[inside(padding, sizes)])


def _sum_samples() -> Iterator[Sample]:
    for shape, params in _settings():
        yield Sample((spread(shape, -1, 1),), params)
    yield from variants(Sample((spread((1, 2, 4), -1, 1),), _params((2,), (1,), ((0, 0),), (1,))))


def _spread_samples() -> Iterator[Sample]:
    for shape, params in _settings():
        counts = _counts("window_spread", shape[2:], params)
        yield Sample((spread(shape[:2] + counts, -1, 1),), {**params, "sizes": shape[2:]})
    params = {**_params((2,), (1,), ((0, 0),), (1,)), "sizes": (4,)}
    yield from variants(Sample((spread((1, 2, 3), -1, 1),), params))


window_sum: Primitive = register(
    Primitive(
        "window_sum",
        _sum_type,
        _window_sum,
        (lambda g, y, x, **params: window_spread(g, sizes=x.shape[2:], **params),),
        "Σ({0}; window {window})",
        _sum_samples,
    )
)

window_spread: Primitive = register(
    Primitive(
        "window_spread",
        _spread_type,
        _window_spread,
        (lambda k, y, g, sizes, **params: window_sum(k, **params),),
        "spread({0}; window {window})",
        _spread_samples,
    )
)

# -- pooling


def max_pool(x: Any, window: Shape, stride: Shape, padding: Padding, dilation: Shape) -> tuple[Value, Value]:
    """The largest element of each window, and its flat position in the plane (int32)."""
    value = floating(x)
    found: tuple[Value, Value] = window_max(value, window=window, stride=stride, padding=padding, dilation=dilation)
    return found


def avg_pool(x: Any, window: Shape, stride: Shape, padding: Padding, divisor: Any = None) -> Value:
    """The sum of each window over its size, or over `divisor` (an array that broadcasts to the result)."""
    value = floating(x)
    total: Value = window_sum(value, window=window, stride=stride, padding=padding, dilation=(1,) * len(window))
    return total / (math.prod(window) if divisor is None else divisor)


def adaptive_parts(size: int, count: int) -> list[tuple[int, int]]:
    """PyTorch's bounds of the parts an axis is cut into for adaptive pooling."""
    return [(part * size // count, -(-(part + 1) * size // count)) for part in range(count)]


def adaptive_pool(x: Any, output: Shape, reduce_axis: Any) -> Value:
    """Each spatial axis, the last first, cut into `output` parts, each reduced by `reduce_axis(part, axis)`."""
    value = floating(x)
    for axis, count in reversed(list(enumerate(output, start=2))):
        parts = [narrow(value, axis, *bounds) for bounds in adaptive_parts(value.shape[axis], count)]
        value = concat(*[reduce_axis(part, axis) for part in parts], axis=axis)
    return value
