"""Bags of indices, each to the sum, mean or maximum of its rows of a table."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import functions as f
from ...errors import ConfigurationError, ShapeError, TraceError, unknown_name
from ...tensor import Tensor, asarray
from .linear import embedding

MODES = ("sum", "mean", "max")


def embedding_bag(
    input: Any,
    weight: Any,
    offsets: Any = None,
    mode: str = "mean",
    per_sample_weights: Any = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """(bags, width): the rows of `weight` (rows, width) of each bag put together by `mode`: "sum", "mean" or "max".

    input: (bags, indices a bag), or all indices one after the other with `offsets` (bags,), where each begins.
    per_sample_weights: like input, with mode "sum" only. padding_idx does not count. An empty bag gives zeros.
    """
    if mode not in MODES:
        raise unknown_name("mode", mode, MODES)
    if per_sample_weights is not None and mode != "sum":
        raise ConfigurationError(f"per_sample_weights go with mode='sum', not with {mode!r}")
    indices, rows = asarray(input), asarray(weight)
    factors = None if per_sample_weights is None else asarray(per_sample_weights, rows.dtype)
    counted: Any = None
    if offsets is not None:
        places, inside = _bags(indices, asarray(offsets), include_last_offset)
        indices, counted = f.take(indices, places, 0), asarray(inside)
        factors = None if factors is None else f.take(factors, places, 0)
    if indices.ndim != 2:
        raise ShapeError(f"embedding_bag needs (bags, indices), or offsets, but was given {indices.shape}")
    if padding_idx is not None:
        real = f.not_equal(indices, padding_idx % rows.shape[0])
        counted = real if counted is None else counted & real
    picked = embedding(indices, rows)  # (bags, indices, width)
    picked = picked if factors is None else picked * f.expand_dims(factors, -1)
    result: Tensor = _together(picked, None if counted is None else f.expand_dims(counted, -1), mode)
    return result


def _bags(indices: Tensor, offsets: Tensor, include_last: bool) -> tuple[Any, Any]:
    """(bags, longest): the places of each bag's indices, and which of them are in it."""
    if offsets.is_traced:
        raise TraceError("embedding_bag: offsets must be known in a program; give input as (bags, indices)")
    starts = offsets.numpy()
    if indices.ndim != 1 or starts.ndim != 1 or not starts.size or starts[0] != 0 or (np.diff(starts) < 0).any():
        raise ShapeError("embedding_bag: offsets begin with 0 and rise, for indices one after the other")
    ends = starts[1:] if include_last else np.append(starts[1:], indices.size)
    starts = starts[: len(ends)]
    width = max(int((ends - starts).max()), 1)
    places = starts[:, None] + np.arange(width)
    return np.minimum(places, max(indices.size - 1, 0)), places < ends[:, None]


def _together(picked: Any, counted: Any, mode: str) -> Any:
    width = picked.shape[1]
    if mode == "max":
        shown = picked if counted is None else f.where(counted, picked, -float("inf"))
        result = f.max(shown, 1)
        return result if counted is None else f.where(f.any(counted, 1), result, 0.0)
    total = f.sum(picked if counted is None else f.where(counted, picked, 0.0), 1)
    if mode == "sum":
        return total
    if counted is None:
        return total / max(width, 1)
    return total / f.maximum(f.sum(f.astype(counted, picked.dtype), 1), 1.0)
