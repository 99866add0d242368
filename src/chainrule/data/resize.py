"""Making images smaller or larger: two exact linear filters, each a matrix per axis."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigurationError, DataError

METHODS = ("area", "bilinear")


def resize(images: NDArray[Any], height: int, width: int, method: str = "area") -> NDArray[np.float32]:
    """Images (..., rows, columns) resized to (..., height, width), float32.

    "area" gives each new pixel the mean of the old ones it covers, by the exact share covered.
    "bilinear" weighs by a triangle as wide as two new pixels, or two old ones where the image grows: what Pillow's
    BILINEAR and PyTorch's `interpolate(..., mode="bilinear", antialias=True)` do.

    >>> resize(np.array([[0.0, 1.0, 2.0, 3.0]]), 1, 2).tolist()
    [[0.5, 2.5]]
    """
    if method not in METHODS:
        raise ConfigurationError(f"there is no resize method {method!r}; known: {', '.join(METHODS)}")
    if height < 1 or width < 1:
        raise ConfigurationError(f"an image has at least 1 x 1 pixels, not {height} x {width}")
    values = np.asarray(images)
    if values.ndim < 2 or 0 in values.shape[-2:]:
        raise DataError(f"images have shape (..., rows, columns), not {values.shape}")
    weights = area_weights if method == "area" else bilinear_weights
    vertical = weights(values.shape[-2], height)
    horizontal = weights(values.shape[-1], width)
    resized = vertical @ values.astype(np.float32) @ horizontal.T  # (..., height, width)
    return np.asarray(resized, dtype=np.float32)


def area_weights(old: int, new: int) -> NDArray[np.float32]:
    """The share of each old pixel in each new one: (new, old), rows sum to 1."""
    edges = np.arange(new + 1) * (old / new)
    left = np.maximum(edges[:-1, None], np.arange(old))
    right = np.minimum(edges[1:, None], np.arange(1, old + 1))
    overlap = np.maximum(right - left, 0.0)
    return np.asarray(overlap * (new / old), dtype=np.float32)


def bilinear_weights(old: int, new: int) -> NDArray[np.float32]:
    """The triangle filter's weight of each old pixel in each new one: (new, old), rows sum to 1."""
    scale = old / new
    reach = max(scale, 1.0)
    centres = (np.arange(new) + 0.5) * scale
    distance = np.abs(np.arange(old) + 0.5 - centres[:, None]) / reach
    triangle = np.maximum(1.0 - distance, 0.0)
    return np.asarray(triangle / triangle.sum(axis=1, keepdims=True), dtype=np.float32)
