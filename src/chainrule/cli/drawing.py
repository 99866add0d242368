"""Small images drawn with characters, two pixels a character, so that one can look at what a network got wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

HALVES = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
MARGIN = 4  # empty pixels around MNIST's digits


def drawn(image: NDArray[Any], margin: int = MARGIN) -> list[str]:
    """Lines of half-block characters: image (height, width), ink where it is above half of its range."""
    inside = image[margin : image.shape[0] - margin, margin : image.shape[1] - margin]
    low, high = float(inside.min()), float(inside.max())
    ink = inside > (low + high) / 2
    if len(ink) % 2:
        ink = np.concatenate([ink, np.zeros_like(ink[:1])])
    return [
        "".join(HALVES[bool(top), bool(bottom)] for top, bottom in zip(ink[y], ink[y + 1]))
        for y in range(0, len(ink), 2)
    ]


def beside(pictures: list[list[str]], captions: list[str], gap: int = 4) -> list[str]:
    """Drawings of one size side by side, a caption under each."""
    width = max(max(len(line) for line in picture) for picture in pictures)
    lines = [(" " * gap).join(line.ljust(width) for line in row) for row in zip(*pictures)]
    return [*(line.rstrip() for line in lines), (" " * gap).join(text.ljust(width) for text in captions).rstrip()]
