"""Arrays as PNG pictures inside a page: small, sharp at any size, without a picture library."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

from ...ir.types import NumpyArray

GRAY, RGB, RGBA = 0, 2, 6
COLOUR_TYPE = {1: GRAY, 3: RGB, 4: RGBA}
NEGATIVE, POSITIVE = (0, 114, 178), (213, 94, 0)  # blue and vermillion of Okabe and Ito
"""The two ends of a diverging scale; between them a colour fades into the page, so it fits light and dark alike."""


def png(pixels: NumpyArray) -> bytes:
    """uint8 (height, width, 1 | 3 | 4) as a PNG file."""
    height, width, channels = pixels.shape
    rows = np.ascontiguousarray(pixels, np.uint8).reshape(height, width * channels)
    lines = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1)  # each line begins with "no filter"
    head = struct.pack(">IIBBBBB", width, height, 8, COLOUR_TYPE[channels], 0, 0, 0)
    parts = _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def address(pixels: NumpyArray) -> str:
    """A picture as the address of an `img`."""
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode()


def diverging(values: NumpyArray, largest: float) -> NumpyArray:
    """Signed numbers (height, width) as pixels: blue below zero, vermillion above, see-through at zero."""
    share = np.zeros(values.shape) if largest == 0 else np.clip(np.nan_to_num(values / largest), -1, 1)
    colour = np.where((share < 0)[..., None], np.array(NEGATIVE), np.array(POSITIVE))
    alpha = np.rint(255 * np.abs(share))[..., None]
    return np.concatenate([colour, alpha], axis=-1).astype(np.uint8)


def picture(image: NumpyArray) -> NumpyArray:
    """An image (channels, height, width) of any range as pixels, gray or colour."""
    held = np.asarray(image, np.float64)
    low, high = float(held.min()), float(held.max())
    scaled = np.rint(255 * (held - low) / ((high - low) or 1)).astype(np.uint8).transpose(1, 2, 0)
    return scaled if scaled.shape[2] == 3 else scaled[:, :, :1]
