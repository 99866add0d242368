"""A guard of what a module was made of when a function was traced: its parts, its options, tensors that it holds."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator
from typing import Any

from .surroundings.changed import settled
from .surroundings.code import reads_of
from .surroundings.found import attribute_name
from .surroundings.place import MISSING, Kind, Place, same
from .tensor import Parameter, Tensor

CHANGES = [0]
"""How often an attribute of any module was set or deleted: guards look again only then."""

MODE = "training"


class ModuleGuard:
    """What a module was made of, and the attributes that the code of its class or the function reads, as they were."""

    key = "attributes"

    def __init__(self, module: Any, modules: type[Any]) -> None:
        """modules: the class of all modules."""
        self.where, self._modules = module, modules
        self._then = dict(vars(module))
        self._named: frozenset[str] = frozenset()
        self._parts = dict(self._parts_now())
        self._others: dict[str, Any] = {}
        self._absent: frozenset[str] = frozenset()  # attributes that the code reads where there are any
        self.changed: list[str] = []  # attributes that the function itself changes

    def guard_attributes(self, names: frozenset[str]) -> None:
        """It is called: not only its parts count. names: those that the code of the function reads."""
        own = _named_in(type(self.where), self._modules)  # type: ignore[arg-type]
        options = vars(self.where).get("_options", ())  # of one that only applies a function: read by their names
        self._named = names | own | {"forward", *options}

    def _parts_now(self) -> Iterator[tuple[str, Any]]:
        return ((key, each) for key, each in vars(self.where).items() if isinstance(each, Parameter | self._modules))

    def places(self, names: Collection[str] = ()) -> list[Place]:
        """All attributes that are read, parts too. names: more of them that the code reads, in other functions."""
        now = vars(self.where)
        return [
            self._place(key)
            for key in sorted(self._all_named(names) | self._parts.keys() | {MODE})
            if key in self._then or key in now
        ]

    def new_places(self) -> list[Place]:
        """Where there are parts now, and was nothing."""
        return list(map(self._place, self.new_parts))

    def _place(self, key: str) -> Place:
        return Place(attribute_name(self.where, key), Kind.ATTRIBUTE, self.where, key, self._then.get(key, MISSING))

    def _all_named(self, names: Collection[str]) -> frozenset[str]:
        return self._named.union(names) - {MODE}

    def settle(self, names: Collection[str], has_read: Callable[[Tensor], bool], made: Collection[int]) -> None:
        """At the end of the trace, see `settled`."""
        apart = {*self._parts, MODE}  # which are compared by themselves, the mode by a guard of its own
        found = settled((each for each in self.places(names) if each.key not in apart), has_read, made)
        self._others = {place.key: place.then for place in found.holding}
        self.changed = [place.name for place in found.changed]
        self._absent = self._all_named(names) - vars(self.where).keys()

    @property
    def parts_hold(self) -> bool:
        """Whether its parts are what they were."""
        parts = dict(self._parts_now())
        return parts.keys() == self._parts.keys() and all(parts[key] is each for key, each in self._parts.items())

    @property
    def new_parts(self) -> list[str]:
        """Names of parts where there was nothing before."""
        return [key for key, _ in self._parts_now() if key not in self._then]

    @property
    def holds(self) -> bool:
        """Whether everything is what it was."""
        return self._broken() is None

    @property
    def name(self) -> str:
        """What has changed."""
        return attribute_name(self.where, str(self._broken()))

    def _broken(self) -> str | None:
        now = vars(self.where)
        parts = dict(self._parts_now())
        for key in parts | self._parts:
            if parts.get(key) is not self._parts.get(key):
                return key
        new = self._absent & now.keys()
        return next((key for key, then in self._others.items() if not same(now.get(key), then)), min(new, default=None))


@functools.cache
def _named_in(kind: type[Any], modules: type[Any]) -> frozenset[str]:
    """Names of attributes that the code of a class of modules may read."""
    classes = [each for each in kind.__mro__ if issubclass(each, modules) and each is not modules]
    methods = [each for one in classes for name, each in vars(one).items() if name != "__init__"]
    return frozenset().union(*map(names_in, methods))


def names_in(function: Any) -> frozenset[str]:
    """Names of attributes that the code of a function, or of a property, reads."""
    code = getattr(getattr(function, "fget", function), "__code__", None)
    if code is None:
        return frozenset()
    reads = reads_of(code)
    return reads.loose.union(str(key) for read in reads.names for kind, key in read.path if kind == "attribute")
