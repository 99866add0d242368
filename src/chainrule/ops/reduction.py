"""Primitives that reduce axes or run along them. A reduced axis is gone; keepdims is a reshape after it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ir.primitive import DISCRETE, Primitive, Rule, Sample, register
from ..ir.types import (
    COMPLEX,
    DTYPES,
    FLOATS,
    NUMBERS,
    ArrayType,
    DType,
    NumpyArray,
    Shape,
    bool_,
    int64,
    normalize_axis,
)
from .elementwise import cast, equal, multiply_no_nan
from .samples import of_dtype, spread, with_gaps
from .structure import broadcast_to, flip, reshape
from .type_rules import require_dtype

_AXES: tuple[tuple[Shape, tuple[int, ...]], ...] = (
    ((2, 3), (0,)),
    ((2, 3), (1,)),
    ((2, 3), (0, 1)),
    ((2, 3, 4), (0, 2)),
    ((2, 3), ()),
    ((), ()),
    ((1,), (0,)),
)


def reduced_shape(shape: Shape, axes: tuple[int, ...]) -> Shape:
    """`shape` without `axes`."""
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def kept_shape(shape: Shape, axes: tuple[int, ...]) -> Shape:
    """`shape` with size 1 in place of `axes`."""
    return tuple(1 if axis in axes else size for axis, size in enumerate(shape))


def expand_like(g: Any, axes: tuple[int, ...], shape: Shape) -> Any:
    """Repeat a reduced array along the axes it lost."""
    return broadcast_to(reshape(g, shape=kept_shape(shape, axes)), shape=shape)


def _reduce_type(name: str, dtypes: Collection[DType], needs_elements: bool) -> Callable[..., ArrayType]:
    def rule(kind: ArrayType, *, axes: tuple[int, ...]) -> ArrayType:
        require_dtype(name, kind, dtypes)
        for axis in axes:
            normalize_axis(axis, kind.ndim)
            if needs_elements and kind.shape[axis] == 0:
                raise ShapeError(
                    f"{name} over axis {axis} of {kind}: the axis is empty and {name} of nothing is undefined"
                )
        return kind.with_shape(reduced_shape(kind.shape, axes))

    return rule


def _samples(dtypes: Collection[DType], empty: bool) -> Callable[[], Iterator[Sample]]:
    def iterate() -> Iterator[Sample]:
        for dtype in dtypes:
            yield Sample((of_dtype(dtype, (2, 3), -2, 2),), {"axes": (1,)})
        for shape, axes in _AXES:
            yield Sample((spread(shape, -2, 2),), {"axes": axes})
        yield Sample((spread((4, 6), -2, 2).T[::2],), {"axes": (0,)})
        yield Sample((spread((0, 3), -2, 2),), {"axes": (0,) if empty else (1,)})
        yield Sample((np.array([[1.0, np.nan, 2.0], [np.inf, -np.inf, 0.0], [1.0, 1.0, 1.0]]),), {"axes": (1,)}, False)

    return iterate


def _reduction(
    name: str, numpy: Callable[..., Any], rule: Rule, formula: str, dtypes: Collection[DType], empty: bool = False
) -> Primitive:
    taken = (*dtypes, *COMPLEX) if name == "sum" else dtypes
    type_rule = _reduce_type(name, taken, needs_elements=not empty)
    return register(Primitive(name, type_rule, numpy, (rule,), formula, _samples(dtypes, empty)))


sum = _reduction(
    "sum",
    lambda x, axes: np.sum(x, axes, x.dtype),
    lambda g, y, x, axes: expand_like(g, axes, x.shape),
    "Σ({0}; {axes})",
    NUMBERS,
    empty=True,
)


def _extremum_rule(g: Any, y: Any, x: Any, *, axes: tuple[int, ...]) -> Any:
    """Every element that attains the extremum gets an equal share, as in PyTorch's amax."""
    chosen = cast(equal(x, expand_like(y, axes, x.shape)), dtype=x.dtype)
    count = sum(chosen, axes=axes)
    return chosen * expand_like(g / count, axes, x.shape)


max = _reduction("max", lambda x, axes: np.max(x, axes), _extremum_rule, "max({0}; {axes})", NUMBERS)
min = _reduction("min", lambda x, axes: np.min(x, axes), _extremum_rule, "min({0}; {axes})", NUMBERS)


def _truth_reduction(name: str, numpy: Callable[..., Any], formula: str) -> Primitive:
    type_rule = _reduce_type(name, (bool_,), needs_elements=False)

    def samples() -> Iterator[Sample]:
        for shape, axes in (*_AXES, ((0, 3), (0,))):
            yield Sample((spread(shape, -1, 1) > 0,), {"axes": axes})
            yield Sample((with_gaps(spread(shape, -1, 1) > 0),), {"axes": axes})

    return register(Primitive(name, type_rule, numpy, DISCRETE, formula, samples))


all = _truth_reduction("all", lambda x, axes: np.all(x, axes), "all({0}; {axes})")
any = _truth_reduction("any", lambda x, axes: np.any(x, axes), "any({0}; {axes})")

# -- positions


def _position_type(name: str, dtypes: Collection[DType]) -> Callable[..., ArrayType]:
    def rule(kind: ArrayType, *, axis: int) -> ArrayType:
        require_dtype(name, kind, dtypes)
        normalize_axis(axis, kind.ndim)
        if kind.shape[axis] == 0:
            raise ShapeError(f"{name} over axis {axis} of {kind}: the axis is empty")
        return ArrayType(reduced_shape(kind.shape, (axis,)), int64)

    return rule


def _along_samples(dtypes: Collection[DType]) -> Callable[[], Iterator[Sample]]:
    def iterate() -> Iterator[Sample]:
        for dtype in dtypes:
            yield Sample((of_dtype(dtype, (2, 3), -2, 2),), {"axis": 1})
        for shape, axis in (((2, 3), 0), ((3,), 0), ((1,), 0), ((2, 3, 4), 1), ((0, 3), 1)):
            yield Sample((spread(shape, -2, 2),), {"axis": axis})
            yield Sample((with_gaps(spread(shape, -2, 2)),), {"axis": axis})
        yield Sample((np.array([[1.0, 1.0, np.nan], [np.inf, -np.inf, 0.0]]),), {"axis": 1}, smooth=False)

    return iterate


def _position(name: str, numpy: Callable[..., Any]) -> Primitive:
    formula = f"{name}({{0}}; {{axis}})"
    return register(Primitive(name, _position_type(name, NUMBERS), numpy, DISCRETE, formula, _along_samples(NUMBERS)))


argmax = _position("argmax", lambda x, axis: np.argmax(x, axis))
argmin = _position("argmin", lambda x, axis: np.argmin(x, axis))


def _along_type(name: str, dtypes: Collection[DType], result: DType | None = None) -> Callable[..., ArrayType]:
    def rule(kind: ArrayType, *, axis: int) -> ArrayType:
        require_dtype(name, kind, dtypes)
        normalize_axis(axis, kind.ndim)
        return kind.with_dtype(result or kind.dtype)

    return rule


argsort = register(
    Primitive(
        "argsort",
        _along_type("argsort", DTYPES, int64),
        lambda x, axis: np.argsort(x, axis, kind="stable"),
        DISCRETE,
        "argsort({0}; {axis})",
        _along_samples(DTYPES),
    )
)


def _cumulative_sum_rule(g: Any, y: Any, x: Any, *, axis: int) -> Any:
    return flip(cumulative_sum(flip(g, axes=(axis,)), axis=axis), axes=(axis,))


cumulative_sum = register(
    Primitive(
        "cumulative_sum",
        _along_type("cumulative_sum", (*NUMBERS, *COMPLEX)),
        lambda x, axis: np.cumsum(x, axis, x.dtype),
        (_cumulative_sum_rule,),
        "cumsum({0}; {axis})",
        _along_samples(NUMBERS),
    )
)

# -- softmax


def _softmax(x: NumpyArray, axis: int) -> NumpyArray:
    weights = np.exp(x - np.max(x, axis, keepdims=True)) if x.size else x
    result: NumpyArray = weights / np.sum(weights, axis, x.dtype, keepdims=True)
    return result


def _softmax_rule(g: Any, y: Any, x: Any, *, axis: int) -> Any:
    """From the result alone: neither exponentials nor their sum are kept, and nothing is divided."""
    mean = expand_like(sum(multiply_no_nan(y, g), axes=(axis,)), (axis,), x.shape)
    return multiply_no_nan(y, g - mean)


softmax = register(
    Primitive(
        "softmax",
        _along_type("softmax", FLOATS),
        _softmax,
        (_softmax_rule,),
        "softmax({0}; {axis})",
        _along_samples(FLOATS),
    )
)
