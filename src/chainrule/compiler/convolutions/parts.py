"""Parts of arrays that convolutions work on: groups of channels, weights in vectors, every so many places and taps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ...ir.types import ArrayType
from ..planning.place import Buffer, Kind, Place
from .window import Remainder

if TYPE_CHECKING:
    from ..planning.lowering import Lowering


def cut(place: Place, axis: int, groups: int) -> list[Place]:
    """A place in equal parts along an axis."""
    size = place.shape[axis] // groups
    shape = (*place.shape[:axis], size, *place.shape[axis + 1 :])
    step = size * place.strides[axis]
    return [replace(place, shape=shape, offset=place.offset + number * step) for number in range(groups)]


def packed_weights(lowering: Lowering, weight: Place, lanes: int, label: str) -> Place:
    """The weights as (vector, row, column, channel, lane), output channels in vectors; lanes beyond them are zero."""
    out, channels, *kernel = weight.shape
    whole, rest = divmod(out, lanes)
    target = lowering.temporary(ArrayType((-(-out // lanes), *kernel, channels, lanes), weight.dtype))
    for first, count, width in ((0, whole, lanes), (whole, 1, rest)):
        if not count or not width:
            continue
        vectors = replace(
            weight,
            shape=(count, *kernel, channels, width),
            strides=(weight.strides[0] * lanes, *weight.strides[2:], weight.strides[1], weight.strides[0]),
            offset=weight.offset + first * lanes * weight.strides[0],
        )
        lowering.copy(vectors, _part(target, first, count, 0, width), label)
    if rest:
        clear(lowering, _part(target, whole, 1, rest, lanes - rest))
    return target


def _part(packed: Place, first: int, count: int, lane: int, lanes: int) -> Place:
    shape = (count, *packed.shape[1:-1], lanes)
    return replace(packed, shape=shape, offset=packed.offset + first * packed.strides[0] + lane)


def clear(lowering: Lowering, place: Place) -> None:
    """Zeros."""
    zero = Buffer(place.dtype, 1, Kind.CONSTANT, data=np.zeros(1, place.dtype))
    lowering.constants.append(zero)
    lowering.copy(Place(zero, place.dtype, place.shape, (0,) * len(place.shape)), place)


def swapped(weight: Place) -> Place:
    """Weights with input and output channels exchanged."""
    (out, channels, *kernel), (first, second, *rest) = weight.shape, weight.strides
    return replace(weight, shape=(channels, out, *kernel), strides=(second, first, *rest))


def every(place: Place, vertical: Remainder, across: Remainder) -> Place:
    """The places of one remainder along both axes."""
    strides = place.strides
    return replace(
        place,
        shape=(*place.shape[:2], vertical.count, across.count),
        strides=(*strides[:2], strides[2] * vertical.step, strides[3] * across.step),
        offset=place.offset + vertical.first * strides[2] + across.first * strides[3],
    )


def taps_of(weight: Place, vertical: Remainder, across: Remainder) -> Place:
    """Every step-th tap from start on, turned round."""
    s2, s3 = weight.strides[2:]
    last_y = vertical.start + (vertical.taps - 1) * vertical.step
    last_x = across.start + (across.taps - 1) * across.step
    return replace(
        weight,
        shape=(*weight.shape[:2], vertical.taps, across.taps),
        strides=(*weight.strides[:2], -s2 * vertical.step, -s3 * across.step),
        offset=weight.offset + last_y * s2 + last_x * s3,
    )
