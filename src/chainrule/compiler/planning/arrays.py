"""The arrays that a kernel of a nest gets: pointers, each once, and which of them every array is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from ...records import dataclass
from ..text.emit import Reg
from .nest_plan import Operand, over_domain
from .place import Place
from .program import Pointer, pointer_to
from .unit import Unit


@dataclass
class Arrays:
    """What a kernel gets: pointers, each once, and which of them every array is."""

    unit: Unit
    pointers: list[Pointer] = field(default_factory=list)
    places: dict[tuple[str, int], Place] = field(default_factory=dict)
    number: dict[tuple[str, int], int] = field(default_factory=dict)
    far: frozenset[int] = frozenset()  # ids of the values that are written past the caches

    def add(self, way: str, value: int, place: Place) -> None:
        pointer = pointer_to(place)
        if pointer not in self.pointers:
            self.pointers.append(pointer)
        self.places[way, value] = place
        self.number[way, value] = self.pointers.index(pointer)

    def numbered(self, wanted: str) -> dict[int, tuple[int, Place]]:
        """Number of the pointer and place of the arrays of one way, by id of their value."""
        return {value: (self.number[way, value], place) for (way, value), place in self.places.items() if way == wanted}

    @property
    def marks(self) -> tuple[bool, ...]:
        """Which of the arrays are written past the caches: a part of the key of a kernel."""
        return tuple(way == "out" and value in self.far for way, value in self.places) if self.far else ()

    def operands(
        self, wanted: str, registers: Sequence[Reg], steps: Mapping[tuple[str, int], tuple[int, ...]] | None = None
    ) -> dict[int, Operand]:
        """The arrays of one way, by id of their value. steps: their strides where not those over the domain."""
        return {
            key[1]: Operand(
                place,
                over_domain(self.unit, place) if steps is None else steps[key],
                registers[self.number[key]],
                wanted == "out" and key[1] in self.far,
            )
            for key, place in self.places.items()
            if key[0] == wanted
        }
