"""Primitives that reduce axes or run along them. A reduced axis is gone; keepdims is a reshape after it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ir.primitive import DISCRETE, Primitive, Sample, register
from ..ir.types import (
    COMPLEX,
    DTYPES,
    FLOATS,
    NUMBERS,
    ArrayType,
    DType,
    NumpyArray,
    bool_,
    int64,
    normalize_axis,
)
from .broadcasting import AXES, axes_samples, expand_like, reduced_shape, reducing_type, sum
from .elementwise import cast, equal, multiply_no_nan
from .samples import of_dtype, spread, with_gaps
from .structure import flip
from .type_rules import require_dtype


def _extremum_rule(g: Any, y: Any, x: Any, *, axes: tuple[int, ...]) -> Any:
    """Every element that attains the extremum gets an equal share, as in PyTorch's amax."""
    chosen = cast(equal(x, expand_like(y, axes, x.shape)), dtype=x.dtype)
    count = sum(chosen, axes=axes)
    return chosen * expand_like(g / count, axes, x.shape)


def _extremum(name: str, numpy: Callable[..., Any]) -> Primitive:
    type_rule, samples = reducing_type(name, NUMBERS, needs_elements=True), axes_samples(NUMBERS, empty=False)
    return register(Primitive(name, type_rule, numpy, (_extremum_rule,), f"{name}({{0}}; {{axes}})", samples))


max = _extremum("max", lambda x, axes: np.max(x, axes))
min = _extremum("min", lambda x, axes: np.min(x, axes))


def _truth_reduction(name: str, numpy: Callable[..., Any], formula: str) -> Primitive:
    type_rule = reducing_type(name, (bool_,), needs_elements=False)

    def samples() -> Iterator[Sample]:
        for shape, axes in (*AXES, ((0, 3), (0,))):
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
