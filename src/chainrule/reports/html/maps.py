"""Arrays of signed numbers as coloured maps whose every cell can be read, by pointer or by keyboard (maps.js)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ...ir.types import NumpyArray
from .markup import Markup, element, json_script
from .numbers import packed, show
from .png import address, diverging

SCRIPTS = ("maps.js",)
MOST_MAPS = 64
MOST_CELLS = 60_000
FULL_AT = 0.995
"""The share of the numbers that lie within the scale of colours."""
SMALL = 8
"""Maps of so few cells a side stand close together."""


def maps_figure(
    title: str,
    arrays: Mapping[str, NumpyArray],
    names: Sequence[str],
    note: str = "",
    ends: tuple[str, str] = ("", ""),
) -> Markup:
    """Maps (maps, height, width) of the first array, coloured by a common scale; a cell is read in all arrays.

    Where there are too many, those with the largest numbers are shown, and the figure says so.
    """
    first = next(iter(arrays.values()))
    chosen = _largest(first)
    shown = {name: np.asarray(each)[chosen] for name, each in arrays.items()}
    colours = next(iter(shown.values()))
    largest = _end_of_scale(colours)
    labels = [names[place] for place in chosen]
    several = len(colours) > 1
    pictures = [_map(label, each, largest, n, several) for n, (label, each) in enumerate(zip(labels, colours))]
    left_out = f" The {len(chosen)} with the largest numbers of {len(first)}." if len(chosen) < len(first) else ""
    data = {"names": labels, "numbers": chosen, "shape": list(colours.shape[1:])}
    data["arrays"] = {n: packed(a) for n, a in shown.items()}
    return element(
        "figure",
        element("figcaption", title, element("span", note + left_out, class_="note") if note or left_out else None),
        _scale(largest, ends),
        element("div", pictures, class_=_width(colours.shape)),
        element("output", "Point at a cell, or move with the arrow keys, to read it.", class_="reading"),
        json_script(data, class_="data"),
        class_="broad" if _is_broad(colours.shape) else None,
        data_maps=True,
    )


def _end_of_scale(values: NumpyArray) -> float:
    """Where colours are full: a few numbers far out must not make all others pale."""
    sizes = np.abs(values[np.isfinite(values)])
    sizes = sizes[sizes > 0]
    return float(np.quantile(sizes, FULL_AT)) if sizes.size else 0.0


def _is_broad(shape: tuple[int, ...]) -> bool:
    """Whether a figure needs the whole width of the page."""
    return shape[0] > 12 or (shape[0] == 1 and shape[2] > 48 and shape[1] > 1)


def _largest(maps: NumpyArray) -> list[int]:
    """Which maps to show: all, or the strongest, in their order."""
    most = max(1, min(MOST_MAPS, MOST_CELLS // max(1, maps[0].size)))
    if len(maps) <= most:
        return list(range(len(maps)))
    strength = np.abs(np.nan_to_num(maps)).reshape(len(maps), -1).sum(axis=1)
    return sorted(np.argsort(-strength, kind="stable")[:most].tolist())


def _map(label: str, values: NumpyArray, largest: float, number: int, is_one_of_many: bool) -> Markup:
    height, width = values.shape
    shape = f"aspect-ratio:{width}/{height}" if height > 1 else "height:1.3rem"
    return element(
        "div",
        element("img", src=address(diverging(values, largest)), alt="", style=shape),
        element("small", label) if height > 1 and is_one_of_many else None,
        element("span", class_="at"),
        class_="map",
        tabindex=0,
        role="img",
        aria_label=f"{label}, {height} by {width} numbers",
        data_map=number,
    )


def _scale(largest: float, ends: tuple[str, str]) -> Markup:
    low, high = ends
    below, above = (f"{word} {show(number, 3)}".strip() for word, number in ((low, -largest), (high, largest)))
    return element("div", below, element("i"), above, class_="scale")


def _width(shape: tuple[int, ...]) -> str:
    if shape[0] == 1 and shape[2] > 16:
        return "maps whole"
    return "maps" if max(shape[1:]) <= SMALL or shape[0] > 12 else "maps wide"


def as_maps(name: str, weights: NumpyArray, image: tuple[int, ...] | None) -> tuple[NumpyArray, list[str]]:
    """Weights of any shape as maps (maps, height, width) with their names.

    image: (channels, height, width) where the rows of a matrix see an image of that shape. A convolution's weights are
    a map for each pair of channels; other matrices one map, a row for each unit; vectors one row.
    """
    held = np.asarray(weights)
    if held.ndim == 4:
        out, inside = held.shape[:2]
        names = [f"{o}" if inside == 1 else f"{o}←{i}" for o in range(out) for i in range(inside)]
        return held.reshape(out * inside, *held.shape[2:]), names
    if held.ndim == 2 and image is not None and held.shape[1] == math.prod(image):
        channels = image[0]
        names = [f"{u}" if channels == 1 else f"{u}, channel {c}" for u in range(len(held)) for c in range(channels)]
        return held.reshape(len(held) * channels, *image[1:]), names
    rows = held.reshape(held.shape[0], -1) if held.ndim > 1 else held.reshape(1, -1)
    return rows[None], [name]
