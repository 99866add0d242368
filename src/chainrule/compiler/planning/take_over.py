"""Results of a nest in the memory of what it reads, where nobody needs that afterwards: less goes through memory.

A new array costs what is written twice, as the processor fetches each line before it is written over. Here only which
buffers may take over which is noted; `buffers` knows how long they are needed.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...ir.types import Shape
from .nest_plan import last_reads, levels, phase_of
from .place import Buffer, Kind, Place, same_layout
from .unit import Unit, root_of


def note_overwritten(unit: Unit, operands: Mapping[int, Place], stores: Mapping[int, Place], new: set[int]) -> None:
    """Note for each new buffer among the stores whose memory it may take over. new: ids of values.

    A nest reads all it needs at a place before it writes there.
    """
    _note_slices(unit, operands, stores)
    known, last = levels(unit), last_reads(unit, set(stores))
    candidates = _candidates(unit, operands, stores, last)
    for equation in unit.members:
        key = id(equation.outputs[0])
        place = stores.get(key)
        if place is None or key not in new or place.shape != unit.domain:
            continue
        phase = phase_of(equation, known)
        place.buffer.over = tuple(
            other.buffer
            for value, other in candidates.items()
            if value != key and last[value] <= phase and _is_alike(unit, other, place)
        )


_Form = tuple[int, int, Shape, tuple[int, ...], tuple[tuple[int, int], ...]]


def _note_slices(unit: Unit, operands: Mapping[int, Place], stores: Mapping[int, Place]) -> None:
    """In a loop: results stacked in the memory of what is gone through, each slice where that of its round lay."""
    if unit.axes is not None:
        return
    read, written = _slices(operands), _slices(stores)
    for buffer, places in written.items():
        buffer.over_slices += tuple(
            other
            for other, others in read.items()
            if other is not buffer and other.nbytes == buffer.nbytes and others == places
        )


def _slices(places: Mapping[int, Place]) -> dict[Buffer, set[_Form]]:
    """By buffer in the arena: what a nest touches of it, if that is another part in each round of an outermost loop."""
    found: dict[Buffer, set[_Form]] = {}
    for place in places.values():
        if place.buffer.kind is Kind.ARENA:
            form = (place.dtype.itemsize, place.offset, place.shape, place.strides, place.steps)
            found.setdefault(place.buffer, set()).add(form)
    return {buffer: forms for buffer, forms in found.items() if all(_moves_on(form[-1]) for form in forms)}


def _moves_on(steps: tuple[tuple[int, int], ...]) -> bool:
    return len(steps) == 1 and steps[0][0] == 0 and steps[0][1] != 0


def _candidates(
    unit: Unit, operands: Mapping[int, Place], stores: Mapping[int, Place], last: Mapping[int, int]
) -> dict[int, Place]:
    """By id of a value: what the nest reads, in one way only, and what it stores for a later phase of its own."""
    found = {key: place for key, place in stores.items() if key in last}
    read: dict[int, list[Place]] = {}
    for equation in unit.members:
        for value in equation.inputs:
            place = operands.get(id(value))
            if place is not None:
                found[id(root_of(value)[0])] = place
                read.setdefault(place.buffer.number, []).append(place)
    return {
        key: place
        for key, place in found.items()
        if place.buffer.kind is Kind.ARENA
        and _fills_buffer(place)
        and all(_is_alike(unit, other, place) for other in read.get(place.buffer.number, ()))
    }


def _fills_buffer(place: Place) -> bool:
    return place.offset == 0 and not place.steps and place.type.size == place.buffer.size


def _is_alike(unit: Unit, one: Place, other: Place) -> bool:
    """Whether both lie alike over the domain."""
    if one.buffer.nbytes != other.buffer.nbytes or one.dtype.itemsize != other.dtype.itemsize:
        return False
    return one.shape == other.shape == unit.domain and same_layout(one.strides, other.strides, unit.domain)
