"""The largest elements, the middle one, quantiles. Made of primitives, on Values; gradients go where each came from."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..errors import ConfigurationError, ShapeError
from ..ir.build import constant
from ..ir.graph import Value
from ..ir.types import normalize_axes, normalize_axis
from . import elementwise as ew
from . import structure
from .arrays import Axis, argsort, expand_dims, moveaxis, permute_dims, reshape
from .arrays import any as any_of
from .gathers import sort, take, take_along_axis
from .known import known
from .operators import floating, lift
from .operators import where as choose


class TopK(NamedTuple):
    """What `topk` gives."""

    values: Any
    indices: Any


def topk(x: Any, k: int, axis: int = -1, largest: bool = True) -> TopK:
    """The k largest elements along `axis`, in order, and their indices (int64); the smallest with largest=False.

    Equal ones in the order of their indices; NaN counts as the largest number.
    """
    value = lift(x)
    place = normalize_axis(axis, value.ndim)
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 0 <= k <= value.shape[place]:
        raise ShapeError(f"topk along axis {place} of {value.type} takes k from 0 to {value.shape[place]}, not {k!r}")
    order = structure.narrow(argsort(value, place, descending=largest), place, 0, int(k))
    return TopK(take_along_axis(value, order, place), order)


def median(x: Any, axis: Axis = None, keepdims: bool = False) -> Value:
    """The middle element over `axis`, or the mean of the two middle ones; NaN where one is NaN."""
    return quantile(x, 0.5, axis, keepdims)


METHODS = ("linear", "lower", "higher", "nearest", "midpoint")


def quantile(x: Any, q: Any, axis: Axis = None, keepdims: bool = False, method: str = "linear") -> Value:
    """The q-quantile over `axis`: between the elements in order, as NumPy does; NaN where one is NaN.

    q: a number from 0 to 1, or an array of them, whose axes come first in the result. method: what is taken between
    two elements: "linear" interpolation, the "lower", the "higher", the "nearest" or their mean, "midpoint".
    Raises ConfigurationError for another method or a q outside [0, 1], ShapeError where there are no elements.
    """
    value = floating(x)
    wanted = np.asarray(known(q, "quantile, by its q,") if isinstance(q, Value) else q, np.float64)
    if method not in METHODS:
        raise ConfigurationError(f"quantile: method is one of {', '.join(METHODS)}, not {method!r}")
    if not ((wanted >= 0) & (wanted <= 1)).all():
        raise ConfigurationError(f"quantile: q lies between 0 and 1, but is {wanted}")
    axes = normalize_axes(axis, value.ndim)
    rows, kept = _in_rows(value, axes)
    if not rows.shape[-1]:
        raise ShapeError(f"quantile has nothing to choose from in {value.type} over axes {axes}")
    found = _between(sort(rows), wanted * (rows.shape[-1] - 1), method)
    spoilt = any_of(ew.isnan(rows), -1)
    found = choose(spoilt[..., None], math.nan, found) if wanted.size else found
    last, first = (list(range(start, start + wanted.ndim)) for start in (len(kept), 0))
    result = moveaxis(reshape(found, (*kept, *wanted.shape)), last, first)
    return expand_dims(result, tuple(each + wanted.ndim for each in axes)) if keepdims else result


def _in_rows(value: Value, axes: tuple[int, ...]) -> tuple[Value, tuple[int, ...]]:
    """The axes that are reduced as one, at the end; and the shape before it."""
    rest = tuple(each for each in range(value.ndim) if each not in axes)
    kept = tuple(value.shape[each] for each in rest)
    return reshape(permute_dims(value, (*rest, *axes)), (*kept, math.prod(value.shape[each] for each in axes))), kept


def _between(rows: Value, places: Any, method: str) -> Value:
    """Elements of sorted rows at places between whole numbers, which are laid out flat."""
    flat = places.reshape(-1)
    low, high = np.floor(flat), np.ceil(flat)
    if method == "nearest":
        low = high = np.round(flat)
    part = {"linear": flat - low, "midpoint": np.where(high > low, 0.5, 0.0), "higher": (high > low) * 1.0}.get(method)
    first = take(rows, constant(low.astype(np.int64)), -1)
    if part is None or not part.any():
        return first
    second, weight = take(rows, constant(high.astype(np.int64)), -1), constant(part.astype(rows.dtype))
    same = ew.bitwise_and(first == second, ew.isinf(first))  # between them there is no difference to take a part of
    mixed = choose(same, first, first + (second - first) * weight)
    return choose(constant(part == 0), first, choose(constant(part == 1), second, mixed))
