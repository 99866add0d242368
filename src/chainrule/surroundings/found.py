"""What a walk found: places that the code reads, and those that it only adds to."""

from __future__ import annotations

from typing import Any

from .place import MISSING, Kind, Place


class Found:
    """Places, each once, as they were when they were found."""

    def __init__(self) -> None:
        self._places: dict[Any, Place] = {}
        self._read: set[int] = set()  # ids of containers that are not only added to
        self._absent: dict[tuple[int, str], Any] = {}  # what has no attribute of its own that is looked for
        self._attributes: dict[int, set[str]] = {}  # ids of modules with a guard of their own: names that are read

    def put(self, name: str, kind: Kind, where: Any, key: Any, then: Any) -> None:
        """A place; nothing where there is nothing."""
        if then is not MISSING:
            self._places.setdefault((kind, id(where), key), Place(name, kind, where, key, then))

    def read(self, container: Any) -> None:
        """A container is read, not only added to."""
        self._read.add(id(container))

    def begin(self, module: Any) -> bool:
        """A module gets a guard of its own for its attributes; whether it had none."""
        known = id(module) in self._attributes
        self._attributes.setdefault(id(module), set())
        return not known

    def look(self, owner: Any, name: str, own: bool, there: bool) -> None:
        """An attribute of an object is looked for. own: whether the object has it; there: it or its class."""
        if id(owner) in self._attributes and (own or not there):
            self._attributes[id(owner)].add(name)
        elif not own and not there:
            self.absent(owner, name)

    def absent(self, owner: Any, name: str) -> None:
        """An object has no attribute of this name itself, or a file no such global."""
        if hasattr(owner, "__dict__") or isinstance(owner, dict):
            self._absent.setdefault((id(owner), name), owner)

    def shadowed(self, owner: Any, name: str) -> None:
        """An object has a method of its class, which an attribute of its own would hide."""
        if not self.has_guard(owner):
            self.absent(owner, name)

    def has_guard(self, owner: Any) -> bool:
        """Whether it is a module with a guard of its own."""
        return id(owner) in self._attributes

    def attributes_of(self, module: Any) -> set[str]:
        """Names of those of a module with a guard of its own that are read."""
        return self._attributes.get(id(module), set())

    @property
    def every(self) -> list[Place]:
        """All places, and attributes that were not there."""
        return [*self._places.values(), *self._not_there()]

    @property
    def are_read(self) -> list[Place]:
        """The same without containers that are only added to."""
        return [each for each in self.every if each.kind is not Kind.CONTENTS or id(each.where) in self._read]

    def _not_there(self) -> list[Place]:
        return [
            Place(_absent_name(owner, name), Kind.ABSENT, owner, name, MISSING)
            for (_, name), owner in self._absent.items()
        ]

    @property
    def only_added_to(self) -> list[Place]:
        """The containers that are."""
        return [each for each in self.every if each.kind is Kind.CONTENTS and id(each.where) not in self._read]

    @property
    def irrevocable(self) -> list[str]:
        """What is drawn from and can't be put back."""
        drawn = [each for each in self._places.values() if each.kind is Kind.DRAWN]
        return [each.name for each in drawn if not each.then.can_be_put_back]


def _absent_name(owner: Any, name: str) -> str:
    return f"the global {name}" if isinstance(owner, dict) else attribute_name(owner, name)


def attribute_name(owner: Any, name: str) -> str:
    """What an attribute is called in messages."""
    of = owner.__name__ if isinstance(owner, type) else type(owner).__name__
    return f"the attribute {name!r} of {of}"
