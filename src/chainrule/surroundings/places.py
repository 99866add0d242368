"""Places outside a function, with what was there when it was traced; a guard asks all of them at each call."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

from .elements import Elements
from .place import Kind, Place, contents, own_of, same


class Places:
    """What a program rests on that lies outside the function: sorted by where it lies, so that asking costs little."""

    def __init__(self, every: Sequence[Place]) -> None:
        self.every = tuple(every)
        self._arrays: list[Elements] = [place.then for place in every if place.kind is Kind.ARRAY]
        grouped: dict[tuple[Kind, Any], list[Place]] = {}
        for place in every:
            if place.kind is not Kind.ARRAY:
                grouped.setdefault((place.kind, _one_of(place)), []).append(place)
        self._groups = [_group(places) for places in grouped.values()]

    @property
    def hold(self) -> bool:
        """Whether everything is what it was."""
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
        return [place.name for place in self.every if not place.holds]


def _one_of(place: Place) -> Any:
    """What is asked for in one go, of places of a kind: those of one object, or of all."""
    match place.kind:
        case Kind.CELL | Kind.ABSENT:
            return None
        case Kind.CODE:
            return place.key
        case _:
            return id(place.where)


Group = tuple[Callable[[Any], Sequence[Any]], Any, tuple[Any, ...]]
"""(how to read, what is read, what it gave)."""


def _group(places: Sequence[Place]) -> Group:
    first, then = places[0], tuple(place.then for place in places)
    keys = [place.key for place in places]
    match first.kind:
        case Kind.ABSENT:
            owners = {id(place.where): place.where for place in places}
            names = {key: frozenset(place.key for place in places if place.where is owners[key]) for key in owners}
            return _are_absent, [(owner, names[key]) for key, owner in owners.items()], (True,)
        case Kind.CODE:
            return _codes if first.key == "__code__" else _defaults, [place.where for place in places], then
        case Kind.CELL:
            return _cells, [place.where for place in places], then
        case Kind.CONTENTS:
            return contents, first.where, first.then
        case Kind.ITEM:
            return operator.itemgetter(*keys, keys[0]), first.where, (*then, then[0])  # twice: one alone is no tuple
        case _:
            return operator.attrgetter(*keys, keys[0]), first.where, (*then, then[0])


def _are_absent(pairs: Sequence[tuple[Any, frozenset[str]]]) -> tuple[bool]:
    """Whether no owner has any of its names."""
    for owner, names in pairs:
        if not own_of(owner).keys().isdisjoint(names):
            return (False,)
    return (True,)


def _codes(functions: Sequence[Any]) -> list[Any]:
    return list(map(_code_of, functions))


def _defaults(functions: Sequence[Any]) -> list[Any]:
    return list(map(_defaults_of, functions))


_code_of = operator.attrgetter("__code__")
_defaults_of = operator.attrgetter("__defaults__")


def _cells(cells: Sequence[Any]) -> list[Any]:
    return list(map(_contents_of_cell, cells))


_contents_of_cell = operator.attrgetter("cell_contents")
