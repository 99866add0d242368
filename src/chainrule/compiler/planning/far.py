"""What is first read so much later that no cache holds it any more: it is written past the caches.

A processor fetches a line of memory before it is written to, unless the line is written whole and past the caches. What
a backward pass needs of a forward pass is not there when it is wanted, whichever way it was written; written past the
caches it moves half of the bytes, and leaves what is near where it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from ..text.fetch import CACHE_LINE
from .nest_plan import last_reads
from .place import Kind, Place
from .unit import Unit, root_of

FAR_BYTES = 32 << 20
"""What is written between a value and its first reader."""
LEAST_BYTES = 1 << 20
"""Of a value: a smaller one is not worth it."""


def far_values(units: Sequence[Unit], outside: set[int]) -> set[int]:
    """Ids of the large values that are read only after much else has been written. outside: those in memory."""
    written = [sum(_sizes(unit, outside).values()) for unit in units]
    before = [0, *accumulate(written)]
    made: dict[int, int] = {}
    far: set[int] = set()
    for number, unit in enumerate(units):
        for key in _roots(unit):
            if key in made and before[number] - before[made.pop(key)] >= FAR_BYTES:
                far.add(key)
        large = {key for key, nbytes in _sizes(unit, outside).items() if nbytes >= LEAST_BYTES}
        made.update(dict.fromkeys(large, number + 1))
    return far


def _sizes(unit: Unit, outside: set[int]) -> dict[int, int]:
    """Bytes that a unit writes to memory, by id of a value. What it computes again, others wrote."""
    members = (equation for equation in unit.members if id(equation) not in unit.guests)
    outputs = (value for equation in members for value in equation.outputs)
    return {id(value): value.type.nbytes for value in outputs if id(value) in outside}


def _roots(unit: Unit) -> Iterable[int]:
    """Ids of what a unit reads."""
    return {id(root_of(value)[0]) for equation in unit.members for value in equation.inputs}


def written_past(unit: Unit, stores: Mapping[int, Place], far: set[int]) -> frozenset[int]:
    """Which of the stores of a nest (ids of values) go past the caches; they take nobody's memory over from now on.

    Memory that could be taken over is near. Where nothing else takes it over, all goes the usual way.
    """
    wanted = far & stores.keys()
    wanted -= last_reads(unit, set(stores)).keys() if wanted else set()  # a later phase of its own reads those soon
    found = {key for key in wanted if _is_apart(stores[key])}
    heirs = [place for key, place in stores.items() if key not in found]
    for key in list(found):
        over = stores[key].buffer.over
        if over and not any(other in place.buffer.over for other in over for place in heirs):
            found.remove(key)
        else:
            stores[key].buffer.over = ()
    return frozenset(found)


def _is_apart(place: Place) -> bool:
    """Whether whole vectors of a place lie in lines of their own."""
    lines = [step * place.dtype.itemsize for step in (*place.strides, place.offset) if step != 1]
    if place.dtype.kind == "b" or 1 not in place.strides:
        return False
    return place.buffer.kind is Kind.ARENA and not place.steps and not any(line % CACHE_LINE for line in lines)
