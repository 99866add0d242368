"""Decoding one image file with Pillow; the only file that imports it, and only when called."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, missing_dependency

Size: TypeAlias = tuple[int, int]  # height, width

ORIENTATION = 0x0112  # the EXIF tag; 5 to 8 are quarter turns
QUARTER_TURNS = (5, 6, 7, 8)


def pillow(purpose: str) -> Any:
    """Pillow's Image module; raises MissingDependencyError naming what it is needed for."""
    try:
        from PIL import Image
    except ImportError as error:
        raise missing_dependency("pillow", purpose, "images") from error
    return Image


def image_size(path: Path) -> Size:
    """(height, width) as seen, by the file's header alone."""
    module = pillow("reading images")
    try:
        with module.open(path) as image:
            width, height = image.size
            turned = image.getexif().get(ORIENTATION) in QUARTER_TURNS
    except Exception as error:  # Pillow's decoders raise errors of every kind on damaged files
        raise _damaged(path, error) from error
    return (width, height) if turned else (height, width)


def decode(path: Path, size: Size) -> NDArray[np.uint8]:
    """The image as colour, uint8 (3, height, width), upright, resized where its size is another."""
    module = pillow("reading images")
    height, width = size
    try:
        from PIL import ImageOps

        with module.open(path) as image:
            upright = _on_white(module, ImageOps.exif_transpose(image))
            if upright.size != (width, height):
                upright = upright.resize((width, height), module.Resampling.BILINEAR)
            pixels = np.asarray(upright, dtype=np.uint8)  # (height, width, 3)
    except Exception as error:
        raise _damaged(path, error) from error
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _on_white(module: Any, image: Any) -> Any:
    """Any mode to RGB: transparency over white, 16 bits a pixel to 8."""
    if image.mode.startswith("I"):
        return module.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers, whose range is unknown: save it with 8 bits a channel")
    if "A" in image.mode or "a" in image.mode or "transparency" in image.info:
        layer = image.convert("RGBA")
        background = module.new("RGBA", layer.size, (255, 255, 255, 255))
        return module.alpha_composite(background, layer).convert("RGB")
    return image.convert("RGB")


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(f"the image {path} can't be read, it is damaged or of another kind ({error}): mend or remove it")
