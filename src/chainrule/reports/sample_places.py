"""A weight of a convolution works at many places of an example: dE/dw is the sum of delta · activation over them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .observed import Layer
from .sample_record import Floats, WeightPlace

KINDS = ("Conv1d", "Conv2d", "Conv3d")
SHOWN = 5
"""Places that are told of each weight: those with the largest terms."""
EXACT = 1e-9
"""By how much the sum over all places may differ from the gradient, relative to the sum of their sizes."""


def places_of(layer: Layer, own: str, index: tuple[int, ...], gradient: float) -> tuple[tuple[WeightPlace, ...], int]:
    """The largest terms of a weight's gradient, and how many there are; none where it isn't a sum over one call."""
    if layer.kind not in KINDS or layer.cotangent is None or own not in ("weight", "bias"):
        return (), 0
    cotangent = np.asarray(layer.cotangent[0, index[0]], np.float64)
    seen = np.ones(cotangent.shape) if own == "bias" else _seen(layer, index, cotangent.shape)
    if seen is None:
        return (), 0
    terms = cotangent * seen
    if abs(terms.sum() - gradient) > EXACT * np.abs(terms).sum():
        return (), 0  # padded otherwise than with zeros, or called more than once
    order = np.argsort(-np.abs(terms), axis=None, kind="stable")[:SHOWN]
    found = [_place(layer, own, index, tuple(map(int, np.unravel_index(n, terms.shape)))) for n in order]
    return tuple(WeightPlace(*at, float(cotangent[at[0]]), float(seen[at[0]])) for at in found), terms.size


def _seen(layer: Layer, index: tuple[int, ...], shape: tuple[int, ...]) -> Floats | None:
    """What the weight meets at each place of the output, of this shape."""
    module: Any = layer.module
    padding = _padding(layer)
    if padding is None:
        return None
    group = index[0] // (module.out_channels // module.groups)
    channel = group * (module.in_channels // module.groups) + index[1]
    padded = np.pad(np.asarray(layer.inputs[0, channel], np.float64), [(each, each) for each in padding])
    cuts = [
        slice(k * dilation, k * dilation + (count - 1) * stride + 1, stride)
        for k, dilation, count, stride in zip(index[2:], module.dilation, shape, module.stride)
    ]
    seen: NDArray[np.float64] = padded[tuple(cuts)]
    return seen if seen.shape == shape else None


def _padding(layer: Layer) -> tuple[int, ...] | None:
    module: Any = layer.module
    given = module.padding
    if isinstance(given, str):
        return (0,) * module.rank if given == "valid" else None
    return tuple(given)


def _place(
    layer: Layer, own: str, index: tuple[int, ...], output: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Where in the output, and where in the input (nowhere for a bias)."""
    padding = _padding(layer)
    if own == "bias" or padding is None:
        return output, ()
    module: Any = layer.module
    steps = zip(output, module.stride, index[2:], module.dilation, padding)
    return output, tuple(p * stride + k * dilation - pad for p, stride, k, dilation, pad in steps)
