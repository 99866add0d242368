"""Images read at places of a grid, as spatial transformers do (Jaderberg et al. 2015). PyTorch's names and numbers."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ... import functions as f
from ...errors import ConfigurationError, ShapeError, unknown_name
from ...records import dataclass
from ...tensor import Tensor, asarray
from .resize import cubic_weights

PADDINGS = ("zeros", "border", "reflection")


def affine_grid(theta: Any, size: Sequence[int], align_corners: bool = False) -> Tensor:
    """The grid that affine maps make of an image's places: (batch, *sizes, rank), in x, y (, z) from -1 to 1.

    theta: (batch, rank, rank + 1), from places of the output to places of the input. size: (batch, channels, *sizes) of
    the output. align_corners: -1 and 1 are the centres of the corner pixels, not their edges.
    """
    maps = asarray(theta)
    rank = len(size) - 2
    if rank not in (2, 3) or maps.shape != (size[0], rank, rank + 1):
        raise ShapeError(
            "affine_grid takes theta (batch, rank, rank + 1) and size (batch, channels, *sizes), two or three sizes, "
            f"but was given {maps.shape} and {tuple(size)}"
        )
    lines = [_centres(count, align_corners) for count in size[2:]]
    places = np.stack([*reversed(np.meshgrid(*lines, indexing="ij")), np.ones(tuple(size[2:]))], axis=-1)
    flat = asarray(places.reshape(-1, rank + 1), maps.dtype)
    result: Tensor = f.reshape(f.matmul(flat, f.matrix_transpose(maps)), (size[0], *size[2:], rank))
    return result


def _centres(count: int, align_corners: bool) -> Any:
    if align_corners:
        return np.linspace(-1, 1, count) if count > 1 else np.zeros(1)
    return (2 * np.arange(count) + 1) / count - 1


def grid_sample(
    input: Any, grid: Any, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool = False
) -> Tensor:
    """(batch, channels, *sizes) read at the places of a grid (batch, *output sizes, rank), in x, y (, z) from -1 to 1.

    mode: "bilinear" (three sizes: trilinear), "nearest", "bicubic" (two sizes). padding_mode: what lies outside,
    "zeros", the "border", or the image's "reflection". Differentiable in the image and, but for "nearest", in the grid.
    Raises ConfigurationError for another mode, ShapeError where shapes don't go together.
    """
    x, places = asarray(input), asarray(grid)
    rank = x.ndim - 2
    if mode not in _TAPS:
        raise unknown_name("mode of grid_sample", mode, _TAPS)
    if padding_mode not in PADDINGS:
        raise unknown_name("padding_mode of grid_sample", padding_mode, PADDINGS)
    if mode == "bicubic" and rank != 2:
        raise ConfigurationError(f'mode="bicubic" is for images with two sizes, but the input is {x.shape}')
    if rank not in (2, 3) or places.ndim != x.ndim or places.shape[0] != x.shape[0] or places.shape[-1] != rank:
        raise ShapeError(
            "grid_sample takes an input (batch, channels, *sizes) and a grid (batch, *output sizes, rank), for two or "
            f"three sizes, but was given {x.shape} and {places.shape}"
        )
    if min(x.shape[2:]) < 1:
        raise ShapeError(f"grid_sample has no places to read in {x.shape}")
    return _Reader(x, padding_mode, align_corners).read(places, mode)


@dataclass(frozen=True)
class _Tap:
    """Places along one axis: how far into the rows of pixels, whether inside the image, and how much they count."""

    index: Any
    is_within: Any
    weight: Any


class _Reader:
    """Pixels of an image, as rows of channels, read at whole places; what lies outside follows the padding."""

    def __init__(self, x: Tensor, padding: str, align_corners: bool) -> None:
        self.sizes, self.padding, self.corners = x.shape[2:], padding, align_corners
        batch, channels = x.shape[:2]
        self.rows = f.reshape(f.moveaxis(x, 1, -1), (batch * int(np.prod(self.sizes)), channels))
        self.first = np.arange(batch) * int(np.prod(self.sizes))

    def read(self, grid: Tensor, mode: str) -> Tensor:
        lines = [self._line(grid[..., -1 - axis], size) for axis, size in enumerate(self.sizes)]
        if mode != "bicubic":
            lines = [self._inside(line, size) for line, size in zip(lines, self.sizes)]
        taps = [self._taps(line, axis, mode) for axis, line in enumerate(lines)]
        total: Any = None
        for corner in itertools.product(*taps):
            part = self._pixels(corner)
            total = part if total is None else total + part
        result: Tensor = f.moveaxis(total, -1, 1)
        return result

    def _taps(self, line: Any, axis: int, mode: str) -> list[_Tap]:
        """What is read along an axis for each place of the grid."""
        size, step = self.sizes[axis], int(np.prod(self.sizes[axis + 1 :]))
        found = []
        for place, weight in _TAPS[mode](line):
            place = self._inside(place, size) if mode == "bicubic" else place
            held = f.clip(f.where(f.isnan(place), 0.0, place), 0.0, size - 1.0)
            found.append(_Tap(f.astype(held, "int64") * step, place == held, weight))
        return found

    def _line(self, g: Any, size: int) -> Any:
        """From -1 .. 1 to places in pixels."""
        return (g + 1) * ((size - 1) / 2) if self.corners else (g + 1) * (size / 2) - 0.5

    def _inside(self, line: Any, size: int) -> Any:
        if self.padding == "zeros":
            return line
        if self.padding == "reflection":
            line = _reflected(line, 0.0, size - 1.0) if self.corners else _reflected(line, -0.5, size - 0.5)
        return f.clip(line, 0.0, size - 1.0)

    def _pixels(self, corner: Sequence[_Tap]) -> Any:
        """The pixels where taps of all axes meet, times their weights."""
        index: Any = self.first.reshape(-1, *(1,) * (corner[0].index.ndim - 1))
        for tap in corner:
            index = index + tap.index
        found = f.take(self.rows, index, 0)
        if self.padding == "zeros":
            within = functools.reduce(f.logical_and, [tap.is_within for tap in corner])
            found = f.where(f.expand_dims(within, -1), found, 0.0)
        for tap in corner:
            found = found if tap.weight is None else found * tap.weight[..., None]
        return found


def _nearest(line: Any) -> list[tuple[Any, Any]]:
    return [(f.round(line), None)]


def _linear(line: Any) -> list[tuple[Any, Any]]:
    low = f.floor(line)
    part = line - low
    return [(low, 1 - part), (low + 1, part)]


def _cubic(line: Any) -> list[tuple[Any, Any]]:
    """Keys' cubic convolution (1981): four neighbours."""
    low = f.floor(line)
    return [(low + step, weight) for step, weight in zip(range(-1, 3), cubic_weights(line - low))]


_TAPS: dict[str, Callable[[Any], list[tuple[Any, Any]]]] = {"nearest": _nearest, "bilinear": _linear, "bicubic": _cubic}


def _reflected(line: Any, low: float, high: float) -> Any:
    """Folded back into [low, high] as often as it takes."""
    if high <= low:
        return line * 0.0
    span = high - low
    turn = f.remainder(f.abs(line - low), 2 * span)
    return low + f.where(turn > span, 2 * span - turn, turn)
