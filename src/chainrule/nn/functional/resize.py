"""Images and other grids made larger or smaller, and channels traded for places. PyTorch's names and numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import functions as f
from ...errors import ConfigurationError, ShapeError, unknown_name
from ...ir.types import NumpyArray
from ...tensor import Tensor, asarray
from . import pooling

LINEAR = {3: "linear", 4: "bilinear", 5: "trilinear"}
MODES = ("nearest", "nearest-exact", "linear", "bilinear", "trilinear", "bicubic", "area")
SHARPNESS = -0.75  # of the cubic convolution, as in PyTorch


def interpolate(
    input: Any,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
) -> Tensor:
    """(batch, channels, *sizes) resampled to `size`, or to sizes · scale_factor.

    mode: "nearest" (PyTorch's, which rounds down), "nearest-exact", "linear" (one size), "bilinear" (two), "trilinear"
    (three), "bicubic" (two), "area" (means). align_corners: the centres of the corner pixels stay where they are.
    Raises ConfigurationError or ShapeError for options that don't go together.
    """
    x = asarray(input)
    if mode not in MODES:
        raise unknown_name("mode of interpolation", mode, MODES)
    ranks = {"bicubic": 4, **{name: rank for rank, name in LINEAR.items()}}
    if x.ndim not in LINEAR or ranks.get(mode, x.ndim) != x.ndim:
        raise ShapeError(f"interpolate with mode={mode!r} does not take inputs of shape {x.shape}")
    if align_corners is not None and mode in ("nearest", "nearest-exact", "area"):
        raise ConfigurationError(f"align_corners has no meaning with mode={mode!r}")
    sizes, scales = _sizes(x.shape[2:], size, scale_factor, bool(recompute_scale_factor))
    if mode == "area":
        pool = (pooling.adaptive_avg_pool1d, pooling.adaptive_avg_pool2d, pooling.adaptive_avg_pool3d)[x.ndim - 3]
        return pool(x, sizes)
    for axis, (count, scale) in enumerate(zip(sizes, scales), 2):
        x = _resampled(x, axis, _taps(mode, x.shape[axis], count, scale, bool(align_corners)))
    return x


def _sizes(
    old: tuple[int, ...], size: Any, scale_factor: Any, recompute: bool
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """The sizes wanted, and how far apart neighbours of the output lie in the input."""
    if (size is None) == (scale_factor is None):
        raise ConfigurationError("interpolate takes either a size or a scale_factor")
    given = size if scale_factor is None else scale_factor
    each = tuple(given) if isinstance(given, Sequence) else (given,) * len(old)
    if len(each) != len(old):
        raise ShapeError(f"interpolate needs one number for all or {len(old)} numbers, but was given {given}")
    sizes = tuple(each) if scale_factor is None else tuple(math.floor(a * b) for a, b in zip(old, each))
    if min(sizes) < 1 or min(old) < 1:
        raise ShapeError(f"interpolate can't make {sizes} of {old}")
    if scale_factor is None or recompute:
        return sizes, tuple(a / b for a, b in zip(old, sizes))
    return sizes, tuple(1 / number for number in each)


Taps = list[tuple[NumpyArray, NumpyArray | None]]
"""For each place of the output, places of the input and their weights; no weights: 1."""


def _taps(mode: str, old: int, new: int, scale: float, corners: bool) -> Taps:
    places = np.arange(new)
    if mode.startswith("nearest"):
        source = np.floor((places + 0.5) * scale if mode == "nearest-exact" else places * scale)
        return [(np.minimum(source.astype(np.int64), old - 1), None)]
    if corners:
        source = places * ((old - 1) / (new - 1) if new > 1 else 0.0)
    else:
        source = (places + 0.5) * scale - 0.5
    if mode == "bicubic":
        return _cubic_taps(source, old)
    source = np.maximum(source, 0.0)
    low = np.minimum(np.floor(source).astype(np.int64), old - 1)
    part = source - low
    return [(low, 1 - part), (np.minimum(low + 1, old - 1), part)]


def _cubic_taps(source: NumpyArray, old: int) -> Taps:
    """Keys' cubic convolution (1981): four neighbours, those outside are the edge."""
    low = np.floor(source).astype(np.int64)
    weights = cubic_weights(source - low)
    return [(np.clip(low + step, 0, old - 1), weight) for step, weight in zip(range(-1, 3), weights)]


def cubic_weights(part: Any) -> list[Any]:
    """Of the four neighbours of a place, which lies `part` behind the second: arrays of NumPy or tensors."""
    a = SHARPNESS

    def near(t: Any) -> Any:
        return ((a + 2) * t - (a + 3)) * t * t + 1

    def far(t: Any) -> Any:
        return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a

    return [far(part + 1), near(part), near(1 - part), far(2 - part)]


def _resampled(x: Tensor, axis: int, taps: Taps) -> Tensor:
    total: Any = None
    for places, weights in taps:
        part = f.take(x, places, axis)
        if weights is not None:
            part = part * asarray(weights.reshape(-1, *[1] * (x.ndim - axis - 1)), x.dtype)
        total = part if total is None else total + part
    result: Tensor = total
    return result


def pixel_shuffle(input: Any, upscale_factor: int) -> Tensor:
    """(..., channels · r², height, width) to (..., channels, height · r, width · r) (Shi et al. 2016)."""
    x, r = asarray(input), upscale_factor
    if x.ndim < 3 or r < 1 or x.shape[-3] % (r * r):
        raise ShapeError(f"pixel_shuffle by {r} needs a multiple of {r * r} channels, but was given {x.shape}")
    *batch, channels, height, width = x.shape
    parts = f.reshape(x, (-1, channels // (r * r), r, r, height, width))
    mixed = f.permute_dims(parts, (0, 1, 4, 2, 5, 3))  # (batch, channels, height, r, width, r)
    result: Tensor = f.reshape(mixed, (*batch, channels // (r * r), height * r, width * r))
    return result


def pixel_unshuffle(input: Any, downscale_factor: int) -> Tensor:
    """The inverse of pixel_shuffle: (..., channels, height · r, width · r) to (..., channels · r², height, width)."""
    x, r = asarray(input), downscale_factor
    if x.ndim < 3 or r < 1 or x.shape[-1] % r or x.shape[-2] % r:
        raise ShapeError(f"pixel_unshuffle by {r} needs sizes that are multiples of it, but was given {x.shape}")
    *batch, channels, height, width = x.shape
    parts = f.reshape(x, (-1, channels, height // r, r, width // r, r))
    mixed = f.permute_dims(parts, (0, 1, 3, 5, 2, 4))
    result: Tensor = f.reshape(mixed, (*batch, channels * r * r, height // r, width // r))
    return result


def channel_shuffle(input: Any, groups: int) -> Tensor:
    """(batch, channels, ...): channels of each group spread over all groups (Zhang et al. 2018)."""
    x = asarray(input)
    if x.ndim < 2 or groups < 1 or x.shape[1] % groups:
        raise ShapeError(f"channel_shuffle in {groups} groups needs a multiple of channels, but was given {x.shape}")
    parts = f.reshape(x, (x.shape[0], groups, x.shape[1] // groups, *x.shape[2:]))
    result: Tensor = f.reshape(f.swapaxes(parts, 1, 2), x.shape)
    return result
