"""Fourier transforms as products with matrices, and what sound is prepared with."""

from __future__ import annotations

from typing import Any

import numpy as np

from .... import functions as fn
from ..call import Call, dtype_of, known, numbers, operator, shape_of
from .elementwise import as_type


def _turns(count: int, length: int, inverse: bool, dtype: Any) -> tuple[Any, Any]:
    """Cosines and sines (length, count) of the transform of `length` elements to `count`."""
    angle = 2 * np.pi * (np.outer(np.arange(length), np.arange(count)) % length) / length
    scale = 1 / length if inverse else 1.0
    return (scale * np.cos(angle)).astype(dtype), ((scale if inverse else -scale) * np.sin(angle)).astype(dtype)


def _transformed(x: Any, length: int, onesided: bool, inverse: bool) -> Any:
    """x (..., length, 1 or 2) -> (..., count, 2)."""
    count = length // 2 + 1 if onesided else length
    cosine, sine = _turns(count, length, inverse, dtype_of(x))
    real = x[..., 0]
    if shape_of(x)[-1] == 1:
        return fn.stack([real @ cosine, real @ sine], axis=-1)
    imaginary = x[..., 1]
    return fn.stack([real @ cosine - imaginary @ sine, real @ sine + imaginary @ cosine], axis=-1)


def _fitted(x: Any, axis: int, length: int) -> Any:
    have = shape_of(x)[axis]
    if length < have:
        return x[(slice(None),) * axis + (slice(0, length),)]
    edges = [(0, length - have) if each == axis else (0, 0) for each in range(len(shape_of(x)))]
    return x if length == have else fn.pad(x, edges)


@operator("DFT")
def _dft(call: Call, x: Any, length: Any = None, axis: Any = None) -> Any:
    place = call.get("axis", 1) if axis is None else numbers(axis, "the axis of DFT")[0]
    if axis is None and call.opset >= 20:
        place = -2
    x, inverse, onesided = fn.asarray(x), bool(call.get("inverse", 0)), bool(call.get("onesided", 0))
    place %= len(shape_of(x))
    if inverse and onesided:
        return _inverse_of_half(x, place, None if length is None else numbers(length, "the length of DFT")[0])
    if length is not None:
        x = _fitted(x, place, numbers(length, "the length of DFT")[0])
    rank = len(shape_of(x))
    moved = fn.moveaxis(x, place, rank - 2)
    return fn.moveaxis(_transformed(moved, shape_of(moved)[-2], onesided, inverse), rank - 2, place)


def _inverse_of_half(x: Any, place: int, length: int | None) -> Any:
    """Real numbers from the half of a spectrum that says all."""
    rank = len(shape_of(x))
    half = fn.moveaxis(x, place, rank - 2)
    count = 2 * (shape_of(half)[-2] - 1) if length is None else length
    half = _fitted(half, rank - 2, count // 2 + 1)
    angle = 2 * np.pi * np.outer(np.arange(count // 2 + 1), np.arange(count)) / count
    weight = np.full((count // 2 + 1, 1), 2.0)
    weight[0] = 1.0
    if count % 2 == 0:
        weight[-1] = 1.0
    cosine, sine = ((weight * each / count).astype(dtype_of(x)) for each in (np.cos(angle), np.sin(angle)))
    real = half[..., 0] @ cosine - half[..., 1] @ sine
    return fn.moveaxis(fn.expand_dims(real, -1), rank - 2, place)


@operator("STFT")
def _stft(call: Call, signal: Any, step: Any, window: Any = None, length: Any = None) -> Any:
    (hop,) = numbers(step, "the step of STFT")
    size = numbers(length, "the length of STFT")[0] if length is not None else shape_of(window)[0]
    x = fn.asarray(signal)
    x = fn.expand_dims(x, -1) if len(shape_of(x)) == 2 else x
    starts = np.arange(0, shape_of(x)[1] - size + 1, hop)
    frames = fn.take(x, starts[:, None] + np.arange(size), axis=1)  # (batch, frames, size, 1 or 2)
    if window is not None:
        frames = frames * fn.reshape(fn.asarray(window), (-1, 1))
    return _transformed(frames, size, bool(call.get("onesided", 1)), False)


@operator("MelWeightMatrix")
def _mel_weight_matrix(call: Call, bins: Any, length: Any, rate: Any, low: Any, high: Any) -> Any:
    count, size = numbers(bins, "bins")[0], numbers(length, "length")[0]
    sampling, lowest, highest = (float(known(each, "MelWeightMatrix")) for each in (rate, low, high))
    first, last = (2595 * np.log10(1 + hertz / 700) for hertz in (lowest, highest))
    mel = first + np.arange(count + 2) * (last - first) / (count + 2)
    places = np.floor((size + 1) * 700 * (np.power(10, mel / 2595) - 1) / sampling).astype(int)
    result = np.zeros((size // 2 + 1, count))
    for number, (start, middle, end) in enumerate(zip(places, places[1:], places[2:])):
        if middle == start:
            result[middle, number] = 1
        for place in range(start, middle + 1) if middle > start else ():
            result[place, number] = (place - start) / (middle - start)
        for place in range(middle, end) if end > middle else ():
            result[place, number] = (end - place) / (end - middle)
    return result.astype(as_type(call.get("output_datatype", 1)))
