"""A folder of images as examples that are decoded when they are wanted: folders that need not fit into memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .decode import Size
from .image_encoder import ImageEncoder
from .images import (
    LONGEST_SIDE,
    FolderPath,
    check_options,
    choose_size,
    listed,
    read_image,
)


class ImageFiles:
    """Images (channels, height, width) and labels by place; see `image_files`. classes: the names of the labels."""

    def __init__(
        self,
        paths: list[Path],
        labels: list[int],
        classes: tuple[str, ...],
        size: Size,
        channels: int,
        encoder: ImageEncoder | None,
    ) -> None:
        self.paths, self.labels, self.classes = paths, labels, classes
        self.size, self.channels, self.encoder = size, channels, encoder

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, place: int) -> tuple[NDArray[np.float32], np.int64]:
        pixels = read_image(self.paths[place], self.size, self.channels)
        if self.encoder is not None:
            return self.encoder.encode(pixels[None])[0], np.int64(self.labels[place])
        return pixels.astype(np.float32) / np.float32(255), np.int64(self.labels[place])


def image_files(
    folder: FolderPath, size: Size | int | None = None, channels: int = 3, encoder: ImageEncoder | None = None
) -> ImageFiles:
    """A folder with one subfolder a class, as a sequence of (image, label) for a `loader`; each is decoded when wanted.

    size, channels: as in `read_image_folder`; channels is 3 (colour) or 1 (gray). Images are floats from 0 to 1, or
    scaled by an ImageEncoder. Raises DataError as `read_image_folder` does.
    """
    if encoder is not None:
        size, channels = (encoder.height, encoder.width), encoder.channels
    check_options(size, channels, LONGEST_SIDE)
    classes, paths, labels, _ = listed(folder)
    chosen, _ = choose_size(paths, size, LONGEST_SIDE)
    return ImageFiles(paths, labels, classes, chosen, channels, encoder)
