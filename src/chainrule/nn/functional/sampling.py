"""Images read at places of a grid, as spatial transformers do (Jaderberg et al. 2015). PyTorch's names and numbers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import functions as f
from ...errors import ConfigurationError, ShapeError, unknown_name
from ...tensor import Tensor, asarray
from .resize import SHARPNESS

MODES = ("bilinear", "nearest", "bicubic")
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
    if mode not in MODES:
        raise unknown_name("mode of grid_sample", mode, MODES)
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


class _Reader:
    """Pixels of an image, as rows of channels, read at whole places; what lies outside follows the padding."""

    def __init__(self, x: Tensor, padding: str, align_corners: bool) -> None:
        self.sizes, self.padding, self.corners = x.shape[2:], padding, align_corners
        batch, channels = x.shape[:2]
        self.rows = f.reshape(f.moveaxis(x, 1, -1), (batch * int(np.prod(self.sizes)), channels))
        self.first = np.arange(batch) * int(np.prod(self.sizes))

    def read(self, grid: Tensor, mode: str) -> Tensor:
        lines = [self._line(grid[..., -1 - axis], size) for axis, size in enumerate(self.sizes)]
        if mode == "bicubic":
            taps = [_cubic(line) for line in lines]
        else:
            lines = [self._inside(line, size) for line, size in zip(lines, self.sizes)]
            taps = [_nearest(line) if mode == "nearest" else _linear(line) for line in lines]
        total: Any = None
        for corner in itertools.product(*taps):
            part = self._pixels([place for place, _ in corner], mode == "bicubic")
            for _, weight in corner:
                part = part if weight is None else part * weight[..., None]
            total = part if total is None else total + part
        result: Tensor = f.moveaxis(total, -1, 1)
        return result

    def _line(self, g: Any, size: int) -> Any:
        """From -1 .. 1 to places in pixels."""
        return (g + 1) * ((size - 1) / 2) if self.corners else (g + 1) * (size / 2) - 0.5

    def _inside(self, line: Any, size: int) -> Any:
        if self.padding == "zeros":
            return line
        if self.padding == "reflection":
            line = _reflected(line, 0.0, size - 1.0) if self.corners else _reflected(line, -0.5, size - 0.5)
        return f.clip(line, 0.0, size - 1.0)

    def _pixels(self, places: Sequence[Any], pad: bool) -> Any:
        index: Any = self.first.reshape(-1, *(1,) * (places[0].ndim - 1))
        step, within = 1, None
        for place, size in zip(reversed(places), reversed(self.sizes)):
            place = self._inside(place, size) if pad else place
            held = f.clip(f.where(f.isnan(place), 0.0, place), 0.0, size - 1.0)
            index = index + f.astype(held, "int64") * step
            here = place == held
            within = here if within is None else f.logical_and(within, here)
            step *= size
        found = f.take(self.rows, index, 0)
        return found if self.padding != "zeros" else f.where(f.expand_dims(within, -1), found, 0.0)


def _nearest(line: Any) -> list[tuple[Any, Any]]:
    return [(f.round(line), None)]


def _linear(line: Any) -> list[tuple[Any, Any]]:
    low = f.floor(line)
    part = line - low
    return [(low, 1 - part), (low + 1, part)]


def _cubic(line: Any) -> list[tuple[Any, Any]]:
    """Keys' cubic convolution (1981): four neighbours."""
    low = f.floor(line)
    part, a = line - low, SHARPNESS

    def near(t: Any) -> Any:
        return ((a + 2) * t - (a + 3)) * t * t + 1

    def far(t: Any) -> Any:
        return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a

    return [
        (low - 1, far(part + 1)),
        (low, near(part)),
        (low + 1, near(1 - part)),
        (low + 2, far(2 - part)),
    ]


def _reflected(line: Any, low: float, high: float) -> Any:
    """Folded back into [low, high] as often as it takes."""
    if high <= low:
        return line * 0.0
    span = high - low
    turn = f.remainder(f.abs(line - low), 2 * span)
    return low + f.where(turn > span, 2 * span - turn, turn)
