"""Places outside a function, with what was there when it was traced; a guard asks all of them at each call."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterator, Sequence
from enum import Enum, auto
from typing import Any

import numpy as np

from ..errors import TraceError
from ..ir.types import NumpyArray
from ..records import dataclass
from ..tensor import Tensor
from .changed import Left, has_grown, left
from .drawn import state_of

PIECE = 1 << 20
"""Bytes of an array that are compared at a time."""

REPLACED = (
    "the function reads the tensor in {place} and puts another one there, which a compiled function can't: each call "
    "would begin with the first one again. Change it in place: .assign(...), or +="
)


class Kind(Enum):
    """How a place is looked into."""

    ITEM = auto()  # of a dict, such as the globals of a file
    ATTRIBUTE = auto()
    CELL = auto()  # of a closure
    CONTENTS = auto()  # all of a list, dict or set
    ARRAY = auto()  # the elements of a NumPy array
    DRAWN = auto()  # how far an iterator or a generator of random numbers is


class _Missing:
    def __repr__(self) -> str:
        return "nothing"


MISSING = _Missing()


@dataclass(frozen=True, eq=False)
class Place:
    """`where`, what is looked for in it, and what was there."""

    name: str
    kind: Kind
    where: Any
    key: Any
    then: Any

    def now(self) -> Any:
        """What is there now."""
        try:
            match self.kind:
                case Kind.ITEM:
                    return self.where[self.key]
                case Kind.ATTRIBUTE:
                    return getattr(self.where, self.key)
                case Kind.CELL:
                    return self.where.cell_contents
                case Kind.CONTENTS:
                    return contents(self.where)
                case Kind.ARRAY:
                    return Elements(self.where)
                case Kind.DRAWN:
                    return state_of(self.where)
        except (LookupError, AttributeError, ValueError):
            return MISSING

    @property
    def holds(self) -> bool:
        """Whether it is what was there."""
        return self.then.hold if self.kind is Kind.ARRAY else same(self.now(), self.then)


def contents(container: Any) -> tuple[Any, ...]:
    """All that a list, dict or set holds, behind its length."""
    if isinstance(container, dict):
        return (len(container), *container, *container.values())
    return (len(container), *container)


class Elements:
    """The elements of a NumPy array, as they were."""

    def __init__(self, array: NumpyArray) -> None:
        self.array = array
        self._form = self._form_now()
        self._pieces = [piece.tobytes() for piece in self._pieces_now()]

    def _form_now(self) -> Any:
        return self.array.shape, self.array.dtype

    def _pieces_now(self) -> Iterator[NumpyArray]:
        if self.array.nbytes <= PIECE:
            yield self.array
            return
        flat = self.array.reshape(-1, order="A")
        step = max(1, PIECE // flat.itemsize)
        for start in range(0, flat.size, step):
            yield flat[start : start + step]

    @property
    def hold(self) -> bool:
        """Whether they are the same to the bit."""
        return self._form == self._form_now() and all(
            piece.tobytes() == then for piece, then in zip(self._pieces_now(), self._pieces)
        )


def same(now: Any, then: Any) -> bool:
    """Whether two things can't be told apart: one object, or numbers, strings and tuples of the same type and value."""
    if now is then:
        return True
    if type(now) is not type(then):
        return False
    if isinstance(now, tuple):
        return len(now) == len(then) and all(map(same, now, then))
    return isinstance(now, bool | int | float | complex | str | bytes | np.generic) and repr(now) == repr(then)


class Places:
    """What a program rests on that lies outside the function: sorted by where it lies, so that asking costs little."""

    def __init__(self, every: Sequence[Place], changed: Sequence[Place] = ()) -> None:
        """changed: those that the function itself changes, which only a trace does: the program fits no other call."""
        self.every, self.changed = tuple(every), tuple(changed)
        self._arrays: list[Elements] = [place.then for place in every if place.kind is Kind.ARRAY]
        grouped: dict[tuple[Kind, int], list[Place]] = {}
        for place in every:
            if place.kind not in (Kind.ARRAY, Kind.DRAWN):
                one = 0 if place.kind is Kind.CELL else id(place.where)
                grouped.setdefault((place.kind, one), []).append(place)
        self._groups = [_group(places) for places in grouped.values()]

    @property
    def hold(self) -> bool:
        """Whether everything is what it was."""
        if self.changed:
            return False
        try:
            for read, where, then in self._groups:
                now = read(where)
                if not all(map(operator.is_, now, then)) and not same(tuple(now), then):
                    return False
        except (LookupError, AttributeError, ValueError):  # something is gone
            return False
        return not self._arrays or all(each.hold for each in self._arrays)

    @property
    def broken(self) -> list[str]:
        """What is no longer as it was."""
        return [place.name for place in (*self.changed, *(each for each in self.every if not each.holds))]

    def settled(self, has_read: Callable[[Tensor], bool], made: Collection[int]) -> Places:
        """At the end of the trace: without the places where the function itself left what is there for others.

        Where it left what a next call would read (numbers, arrays, tensors from elsewhere), the program fits this call
        only: who traces again finds them. See `ModuleGuard.settle`. Raises TraceError for a tensor that was read and
        replaced.
        """
        holding = [place for place in self.every if place.kind is not Kind.DRAWN and place.holds]
        others = [place for place in self.every if not place.holds]
        return Places(holding, [place for place in others if _is_state(place, has_read, made)])


def _is_state(place: Place, has_read: Callable[[Tensor], bool], made: Collection[int]) -> bool:
    """Whether the function reads at its next call what it left there at this one."""
    if place.kind in (Kind.ARRAY, Kind.DRAWN):
        return True
    if place.kind is Kind.CONTENTS and has_grown(place.then, place.where):
        return False
    match left(place.then, place.now(), has_read, made):
        case Left.REPLACED:
            raise TraceError(REPLACED.format(place=place.name))
        case other:
            return other is Left.STATE


Group = tuple[Callable[[Any], Sequence[Any]], Any, tuple[Any, ...]]
"""(how to read, what is read, what it gave)."""


def _group(places: Sequence[Place]) -> Group:
    first, then = places[0], tuple(place.then for place in places)
    keys = [place.key for place in places]
    match first.kind:
        case Kind.CELL:
            return _cells, [place.where for place in places], then
        case Kind.CONTENTS:
            return contents, first.where, first.then
        case Kind.ITEM:
            return operator.itemgetter(*keys, keys[0]), first.where, (*then, then[0])  # twice: one alone is no tuple
        case _:
            return operator.attrgetter(*keys, keys[0]), first.where, (*then, then[0])


def _cells(cells: Sequence[Any]) -> list[Any]:
    return list(map(_contents_of_cell, cells))


_contents_of_cell = operator.attrgetter("cell_contents")
