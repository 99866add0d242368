"""Windows of images as columns, and columns summed back into images. PyTorch's names and layout."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import functions as f
from ...errors import ShapeError
from ...ir.types import NumpyArray
from ...tensor import Tensor, asarray
from .axes import Sizes, sizes_per_axis


def unfold(input: Any, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> Tensor:
    """(batch, channels, height, width) to (batch, channels · window, places): one column a place of the window."""
    x = asarray(input)
    if x.ndim not in (3, 4):
        raise ShapeError(f"unfold takes (batch, channels, height, width), but was given {x.shape}")
    images = f.expand_dims(x, 0) if x.ndim == 3 else x
    places, padded = _places(images.shape[2:], kernel_size, dilation, padding, stride)
    flat = f.reshape(f.pad(images, _widths(images.ndim, padding)), (*images.shape[:2], math.prod(padded)))
    columns = f.take(flat, places.reshape(-1), 2)
    result: Tensor = f.reshape(columns, (images.shape[0], images.shape[1] * places.shape[0], places.shape[1]))
    return f.squeeze(result, 0) if x.ndim == 3 else result


def fold(
    input: Any, output_size: Sizes, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
) -> Tensor:
    """The transpose of unfold: (batch, channels · window, places) summed into (batch, channels, *output_size)."""
    x = asarray(input)
    columns = f.expand_dims(x, 0) if x.ndim == 2 else x
    size = sizes_per_axis(output_size, 2, "output_size")
    places, padded = _places(size, kernel_size, dilation, padding, stride)
    window, count = places.shape
    if columns.ndim != 3 or columns.shape[1] % window or columns.shape[2] != count:
        raise ShapeError(f"fold needs (batch, channels · {window}, {count}) to make {size}, but was given {x.shape}")
    batch, channels = columns.shape[0], columns.shape[1] // window
    values = f.reshape(columns, (batch, channels, window * count))
    index = f.broadcast_to(asarray(places.reshape(-1)), values.shape)
    flat = f.add_along_axis(f.zeros((batch, channels, math.prod(padded)), x.dtype), index, values, 2)
    (top, left), (height, width) = sizes_per_axis(padding, 2, "padding", 0), size
    images = f.reshape(flat, (batch, channels, *padded))[:, :, top : top + height, left : left + width]
    return asarray(f.squeeze(images, 0) if x.ndim == 2 else images)


def _widths(ndim: int, padding: Sizes) -> list[tuple[int, int]]:
    return [(0, 0)] * (ndim - 2) + [(each, each) for each in sizes_per_axis(padding, 2, "padding", 0)]


def _places(
    size: tuple[int, ...], kernel: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes
) -> tuple[NumpyArray, tuple[int, ...]]:
    """(window, places): flat positions in the padded image, and the sizes of that image."""
    padded = tuple(each + 2 * extra for each, extra in zip(size, sizes_per_axis(padding, 2, "padding", 0)))
    axes = []
    named = (("kernel_size", kernel), ("dilation", dilation), ("stride", stride))
    given = (sizes_per_axis(each, 2, name) for name, each in named)
    for length, window, apart, step in zip(padded, *given):
        count = (length - apart * (window - 1) - 1) // step + 1
        if count < 1:
            raise ShapeError(f"a window of {kernel} with dilation {dilation} does not fit into {padded}")
        axes.append(np.arange(window)[:, None] * apart + np.arange(count) * step)  # (window, places)
    rows, columns = axes
    both = rows[:, None, :, None] * padded[1] + columns[None, :, None, :]
    return both.reshape(rows.shape[0] * columns.shape[0], -1), padded
