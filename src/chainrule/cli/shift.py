"""Moving training images about a little, so that a network learns what they show and not where it stands."""

from __future__ import annotations

import numpy as np

from .. import nn, random
from ..functions import clip
from ..tensor import Tensor


class RandomShift(nn.Module):
    """In training, moves each image (n, channels, height, width) by up to `pixels` up or down and left or right.

    What comes in at an edge repeats the edge. In evaluation nothing happens.
    """

    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.pixels = pixels

    def forward(self, images: Tensor) -> Tensor:
        if not self.training:
            return images
        count, channels, height, width = images.shape
        rows = self._moved(count, height)[:, None, :, None]  # (n, 1, height, 1)
        columns = self._moved(count, width)[:, None, None, :]  # (n, 1, 1, width)
        images_of = np.arange(count)[:, None, None, None]
        moved: Tensor = images[images_of, np.arange(channels)[:, None, None], rows, columns]
        return moved  # (n, channels, height, width)

    def _moved(self, count: int, size: int) -> Tensor:
        offsets = random.randint(-self.pixels, self.pixels + 1, (count, 1))
        places: Tensor = clip(offsets + np.arange(size), 0, size - 1)
        return places  # (n, size)

    def extra_repr(self) -> str:
        return f"pixels={self.pixels}"
