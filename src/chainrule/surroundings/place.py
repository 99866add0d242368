"""A place outside a function, with what was there when it was traced, and how to make it that again."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

import numpy as np

from ..records import dataclass
from .drawn import Position
from .elements import Elements


class Kind(Enum):
    """How a place is looked into."""

    ITEM = auto()  # of a dict, such as the globals of a file
    ATTRIBUTE = auto()  # of an object itself
    INHERITED = auto()  # an attribute that an object has of its class
    ABSENT = auto()  # an attribute that an object has not itself, or a name that a file has not
    CODE = auto()  # of a function: its instructions, or its defaults
    CELL = auto()  # of a closure
    CONTENTS = auto()  # all of a list, dict or set
    ARRAY = auto()  # the elements of a NumPy array
    DRAWN = auto()  # how far an iterator or a generator of random numbers is


class _Missing:
    def __repr__(self) -> str:
        return "nothing"


MISSING = _Missing()
PLAIN = bool | int | float | complex | str | bytes | np.generic
"""What is known by its type and what it shows."""


@dataclass(frozen=True, eq=False)
class Place:
    """`where`, what is looked for in it, and what was there: MISSING where there was nothing."""

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
                case Kind.ATTRIBUTE | Kind.INHERITED | Kind.CODE:
                    return getattr(self.where, self.key)
                case Kind.ABSENT:
                    return own_of(self.where).get(self.key, MISSING)
                case Kind.CELL:
                    return self.where.cell_contents
                case Kind.CONTENTS:
                    return contents(self.where)
                case _:
                    return self.then  # it tells itself whether it holds
        except (LookupError, AttributeError, ValueError):
            return MISSING

    @property
    def known_by(self) -> tuple[Any, ...]:
        """What tells it from other places."""
        return self.kind, id(self.where), self.key

    def renewed(self) -> Place:
        """The same place with what is there now."""
        match self.kind:
            case Kind.ARRAY:
                then: Any = Elements(self.where)
            case Kind.DRAWN:
                then = Position(self.where)
            case _:
                then = self.now()
        return Place(self.name, self.kind, self.where, self.key, then)

    @property
    def holds(self) -> bool:
        """Whether it is what was there."""
        return self.then.hold if self.kind in (Kind.ARRAY, Kind.DRAWN) else same(self.now(), self.then)

    def put_back(self) -> None:
        """Make it what was there, past what an object does itself when it is changed."""
        match self.kind:
            case Kind.ITEM:
                self.where[self.key] = self.then
            case Kind.ABSENT if isinstance(self.where, dict):
                self.where.pop(self.key, None)
            case Kind.ATTRIBUTE | Kind.ABSENT | Kind.CODE:
                _set_attribute(self.where, self.key, self.then)
            case Kind.INHERITED:
                _set_inherited(self.where, self.key, self.then)
            case Kind.CELL:
                self.where.cell_contents = self.then
            case Kind.CONTENTS:
                _fill(self.where, self.then)
            case _:
                self.then.put_back()


def own_of(owner: Any) -> Mapping[str, Any]:
    """What an object itself has, without what its class has; of the globals of a file they themselves."""
    return owner if isinstance(owner, dict) else vars(owner)


def item_name(key: Any) -> str:
    """What an item of a dict is called in messages."""
    return f"the item {key!r} of a dict"


def contents(container: Any) -> tuple[Any, ...]:
    """All that a list, dict or set holds, behind its length."""
    if isinstance(container, dict):
        return (len(container), *container, *container.values())
    return (len(container), *container)


def items_in(found: tuple[Any, ...]) -> dict[Any, Any]:
    """The items of a dict whose `contents` these are."""
    count, *rest = found
    return dict(zip(rest[:count], rest[count:]))


def _fill(container: Any, then: tuple[Any, ...]) -> None:
    container.clear()
    if isinstance(container, dict):
        container.update(items_in(then))
    elif isinstance(container, set):
        container.update(then[1:])
    else:
        container.extend(then[1:])


def _set_attribute(owner: Any, name: str, then: Any) -> None:
    own: Any = getattr(owner, "__dict__", None)
    if isinstance(owner, type):
        type.__setattr__(owner, name, then) if then is not MISSING else type.__delattr__(owner, name)
    elif own is None or (then is not MISSING and name not in own):
        object.__setattr__(owner, name, then) if then is not MISSING else object.__delattr__(owner, name)
    elif then is MISSING:
        own.pop(name, None)
    else:
        own[name] = then


def _set_inherited(owner: Any, name: str, then: Any) -> None:
    own: Mapping[str, Any] = getattr(owner, "__dict__", {})
    if name in own:
        _set_attribute(owner, name, MISSING)
    order = owner.__mro__ if isinstance(owner, type) else type(owner).__mro__
    holder = next((each for each in order if name in vars(each)), None)
    if holder is not None and vars(holder)[name] is not then and not hasattr(type(then), "__get__"):
        type.__setattr__(holder, name, then)


def same(now: Any, then: Any) -> bool:
    """Whether two things can't be told apart: one object, or numbers, strings and tuples of the same type and value."""
    if now is then:
        return True
    if type(now) is not type(then):
        return False
    if isinstance(now, tuple):
        return len(now) == len(then) and all(map(same, now, then))
    return isinstance(now, PLAIN) and repr(now) == repr(then)
