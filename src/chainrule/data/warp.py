"""Images seen through a linear map about their centre, bilinear between pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def warped(images: NDArray[Any], matrices: NDArray[np.float64], fill: float) -> NDArray[Any]:
    """Each image (n, channels, height, width) where pixel p shows what was at matrix @ p, (y, x) from the centre.

    matrices: (n, 2, 2). What lies outside is `fill`. The identity gives back the same bits.
    """
    height, width = images.shape[2:]
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    grid = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), -1) - centre
    places = np.einsum("nij,hwj->nhwi", matrices, grid) + centre  # (n, height, width, 2)
    low = np.floor(places).astype(np.int64)
    share = places - low
    total = np.zeros((len(images), images.shape[1], height, width))
    for down in (0, 1):
        for right in (0, 1):
            rows, columns = low[..., 0] + down, low[..., 1] + right
            part = (share[..., 0] if down else 1 - share[..., 0]) * (share[..., 1] if right else 1 - share[..., 1])
            total += part[:, None] * _pixels(images, rows, columns, fill)
    return np.rint(total).astype(images.dtype) if images.dtype.kind in "iu" else total.astype(images.dtype)


def _pixels(
    images: NDArray[Any], rows: NDArray[np.int64], columns: NDArray[np.int64], fill: float
) -> NDArray[np.float64]:
    """Pixels at places (n, height, width), `fill` outside: (n, channels, height, width)."""
    height, width = images.shape[2:]
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    safe_rows, safe_columns = np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)
    number, channel = np.arange(len(images))[:, None, None, None], np.arange(images.shape[1])[None, :, None, None]
    found = images[number, channel, safe_rows[:, None], safe_columns[:, None]]
    return np.where(inside[:, None], found, fill).astype(np.float64)
