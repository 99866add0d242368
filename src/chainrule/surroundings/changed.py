"""What a trace did to what lies outside: left for others to look at, or read again by the next call."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from enum import Enum, auto
from itertools import zip_longest
from typing import Any

import numpy as np

from .. import tree
from ..errors import TraceError
from ..records import dataclass
from ..tensor import Tensor
from .place import MISSING, PLAIN, Kind, Place, item_name, items_in, same

REPLACED = (
    "the function reads the tensor in {place} and puts another one there, which a compiled function can't: each call "
    "would begin with the first one again. Change it in place: {how}.assign(...), or {how} += ..."
)


class Left(Enum):
    """What the function left in a place that it reads."""

    SHOWN = auto()  # something that it made: for others to look at
    STATE = auto()  # what was there before, or plain: the next call reads it, so it can't be this program again
    REPLACED = auto()  # a tensor that it made in place of one that it read


def left(then: Any, found: Any, has_read: Callable[[Tensor], bool], made: Collection[int]) -> Left:
    """What stands in a place now, and what did before the trace. made: ids of the tensors that the trace made."""
    before, now = tree.leaves(then), tree.leaves(found)
    old, new = set(map(id, before)), set(map(id, now))
    if any(isinstance(each, Tensor) and id(each) in made for each in now):
        lost = [each for each in before if isinstance(each, Tensor) and id(each) not in new]
        return Left.REPLACED if any(map(has_read, lost)) else Left.SHOWN
    known = found is MISSING or all(id(each) in old or isinstance(each, Tensor) or is_plain(each) for each in now)
    return Left.STATE if known else Left.SHOWN


def is_plain(found: Any) -> bool:
    """Whether it is known by its value."""
    return isinstance(found, PLAIN | np.ndarray)


@dataclass(frozen=True)
class Settled:
    """The places of a program at the end of its trace: those that are as they were, those that the function changed.

    Where it left what is there for others to look at, neither.
    """

    holding: list[Place]
    changed: list[Place]


def settled(places: Iterable[Place], has_read: Callable[[Tensor], bool], made: Collection[int]) -> Settled:
    """has_read: whether the trace read a tensor from outside. made: ids of the tensors that it made.

    What the function left for its next call to read (numbers, arrays, tensors from elsewhere) only a trace finds, so
    the program fits this call alone. Raises TraceError for a tensor that was read and replaced.
    """
    found = Settled([], [])
    for place in places:
        if place.holds:
            found.holding.extend([place] if place.kind is not Kind.DRAWN else ())
        elif _is_state(place, has_read, made):
            found.changed.append(place)
    return found


def _is_state(place: Place, has_read: Callable[[Tensor], bool], made: Collection[int]) -> bool:
    """Whether the function reads at its next call what it left there at this one."""
    if place.kind in (Kind.ARRAY, Kind.DRAWN):
        return True
    now = place.now()
    match left(place.then, now, has_read, made):
        case Left.REPLACED:
            how = f"self.{place.key}" if place.kind in (Kind.ATTRIBUTE, Kind.INHERITED) else "tensor"
            raise TraceError(REPLACED.format(place=place.name, how=how))
        case Left.SHOWN if place.kind is Kind.CONTENTS:
            items = _items(place.where, place.then, now)
            return any(then is MISSING or left(then, new, has_read, made) is Left.STATE for then, new in items)
        case other:
            return other is Left.STATE


def _items(container: Any, then: tuple[Any, ...], now: tuple[Any, ...]) -> Iterable[tuple[Any, Any]]:
    """What was under each key or index of a container, and what is there now, where these differ."""
    if isinstance(container, set):
        return []
    if isinstance(container, dict):
        old, new = items_in(then), items_in(now)
        pairs = [(old.get(key, MISSING), new.get(key, MISSING)) for key in {**old, **new}]
    else:
        pairs = list(zip_longest(then[1:], now[1:], fillvalue=MISSING))
    return [(before, after) for before, after in pairs if not same(before, after)]


def change_name(place: Place) -> str:
    """What a place is called whose contents were changed: of a dict, the item."""
    if place.kind is not Kind.CONTENTS or not isinstance(place.where, dict):
        return place.name
    old, now = items_in(place.then), place.where
    keys = [key for key in {**old, **now} if not same(old.get(key, MISSING), now.get(key, MISSING))]
    return item_name(keys[0]) if keys else place.name


def put_back(places: Iterable[Place], made: Collection[int] | None = None) -> None:
    """Undo what a trace did; with `made`, ids of tensors that it made, but for what it made to stay."""
    for place in places:
        if not place.holds and (made is None or not _is_made(place, made)):
            place.put_back()


def _is_made(place: Place, made: Collection[int]) -> bool:
    if place.kind in (Kind.ARRAY, Kind.DRAWN):
        return False
    return left(place.then, place.now(), lambda _: True, made) is not Left.STATE
