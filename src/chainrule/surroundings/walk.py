"""The walk from a function through all that its code reads outside itself, on into functions that it names."""

from __future__ import annotations

import builtins
import functools
import inspect
import operator
import sys
import weakref
from collections import ChainMap, UserDict, UserList
from collections.abc import Iterable, Mapping, Sequence
from types import FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

import numpy as np

from .. import tree
from ..names import name_of
from ..tensor import Tensor
from .code import ALL, Path, reads_of
from .drawn import Position, everywhere, is_drawn_from
from .elements import Elements
from .foreign import is_foreign_class, is_foreign_function, is_foreign_module, is_ours
from .found import Found, attribute_name
from .place import MISSING, Kind, contents, item_name
from .things import code_of, content_of, is_container, is_function, is_rebuilt, own_attributes

MOST_ITEMS = 1000
"""A container with more of them is known by being the same one."""

NOT_CALLED = {"__init__", "__new__", "__post_init__", "__repr__", "__str__", "__hash__", "__setattr__", "__del__"}
"""Methods with a meaning of their own in Python that do not run just because there is an object."""

ADDING = {"append", "appendleft", "extend", "extendleft", "add", "update"}
"""Methods that only put more into a container: who takes nothing else of it does not read it."""

_PLAIN = (type(None), bool, int, float, complex, str, bytes, Tensor, np.generic)


class Walk:
    """All places that have been found, and what of them has been walked through."""

    def __init__(self) -> None:
        self.found = Found()
        self._seen: dict[Any, Any] = {}  # what was walked through is kept, so that no id is used twice
        self._loose: set[str] = set()
        self._objects: list[Any] = []
        self._done: dict[int, set[str]] = {}
        self.caches: list[Any] = []  # functions that keep what they gave

    # -- where it begins

    def start(self, function: Any, positional: Sequence[Any], named: Mapping[str, Any]) -> None:
        """From a function about to be called on these arguments."""
        self._generators()
        own: tuple[Any, ...] = ()  # arguments that the function brings along: no others are built in their place
        brought: dict[str, Any] = {}
        while isinstance(function, functools.partial | MethodType):
            if isinstance(function, MethodType):
                own, function = (function.__self__, *own), function.__func__
            else:
                brought = {**function.keywords, **brought}
                own, function = (*function.args, *own), function.func
        self._follow_all((*own, *brought.values(), *tree.leaves([positional, dict(named)])))
        if isinstance(function, FunctionType):
            names = function.__code__.co_varnames[: function.__code__.co_argcount]
            given = {**named, **dict(zip(names[len(own) :], positional))}
            known = {name: each for name, each in given.items() if not is_rebuilt(each)}
            self._function(function, {**brought, **known, **dict(zip(names, own))})
            self._follow(getattr(function, "__wrapped__", MISSING))
        else:
            self._follow(function)
        self._finish()

    def module(self, module: Any) -> None:
        """From a module about to be called. Its attributes have a guard of their own; what they hold has none."""
        if is_foreign_class(type(module)):
            self._follow(vars(module).get("forward", MISSING))
        elif self.found.begin(module):
            self._follow(self._attribute(module, "forward"))
        self._finish()

    def _finish(self) -> None:
        """Look for attributes whose owner is not known in every object that was found, until no more are found."""
        at = (-1, 0)
        while at != (len(self._loose), len(self._objects)):
            at = (len(self._loose), len(self._objects))
            for each in list(self._objects):
                done = self._done.setdefault(id(each), set())
                for name in self._loose - done:
                    done.add(name)
                    self._follow(own_attributes(each) if name == ALL else self._attribute(each, name))

    def _generators(self) -> None:
        for name, each in everywhere():
            self.found.put(name, Kind.DRAWN, each, None, Position(each))

    # -- functions

    def _function(self, function: FunctionType, known: Mapping[str, Any]) -> None:
        """What a function reads. known: what parameters of it are."""
        key = (id(function), *((name, id(each)) for name, each in known.items()))
        if key in self._seen:
            return
        self._seen[key] = (function, [each for each in known.values() if not isinstance(each, Tensor)])
        self._follow_all((*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()))
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or ()))
        if is_foreign_function(function):  # that of a library: it may hold what the user gave it
            self._follow_all(content_of(cell) for cell in cells.values())
            return
        self.found.put(f"the code of {name_of(function)}", Kind.CODE, function, "__code__", function.__code__)
        if function.__defaults__:
            name = f"a default of {name_of(function)}"
            self.found.put(name, Kind.CODE, function, "__defaults__", function.__defaults__)
        reads = reads_of(function.__code__)
        self._loose |= reads.loose
        for read in reads.names:
            match read.kind:
                case "global":
                    found = self._item(function.__globals__, read.name, f"the global {read.name}")
                    if found is MISSING and not hasattr(builtins, read.name):
                        self.found.absent(function.__globals__, read.name)
                case "cell":
                    found = self._cell(cells.get(read.name), read.name)
                case "module":
                    found = sys.modules.get(read.name, MISSING)
                case _:
                    found = known.get(read.name, MISSING)
                    if found is MISSING:
                        self._loose.update(str(key) for kind, key in read.path if kind == "attribute")
            self._along(found, read.path)

    def _methods(self, owner: Any, name: str) -> bool:
        """Go into the methods of this name of an object or class; whether there are any."""
        kind = owner if isinstance(owner, type) else type(owner)
        every = [vars(each)[name] for each in kind.__mro__ if name in vars(each)]
        self._note_caches(every)
        codes = [(static, code) for static in every for code in code_of(static)]
        for static, code in codes:
            first = kind if isinstance(static, classmethod) else owner
            unknown = isinstance(static, staticmethod) or (first is kind and not isinstance(static, classmethod))
            self._function(code, {} if unknown else dict.fromkeys(code.__code__.co_varnames[:1], first))
        return bool(codes)

    def _note_caches(self, found: Iterable[Any]) -> None:
        self.caches += [each for each in found if isinstance(each, functools._lru_cache_wrapper)]

    # -- what was found

    def _along(self, found: Any, path: Path) -> None:
        for kind, key in path:
            if kind == "attribute":
                found = self._attribute(found, key)
            elif type(found) is dict and key in found:
                found = self._item(found, key, item_name(key))
            else:
                break
        self._follow(found)

    def _attribute(self, owner: Any, name: str) -> Any:
        """What an object has under a name, with its place; what else it is is followed at once."""
        if owner is MISSING:
            return MISSING
        if isinstance(owner, ModuleType):
            if owner is np and name == "random" and np.random:  # looked at, it is loaded
                self._generators()
            return MISSING if is_foreign_module(owner) else self._item(vars(owner), name, f"{owner.__name__}.{name}")
        if isinstance(owner, _PLAIN) or is_container(owner) or is_drawn_from(owner):
            self._follow(owner, reads=name not in ADDING)
            return MISSING
        self._object(owner)
        static = inspect.getattr_static(owner, name, MISSING)
        own = name in getattr(owner, "__dict__", ())
        self.found.look(owner, name, own, static is not MISSING)
        if static is MISSING:
            return MISSING
        if self._methods(owner, name) and not own:
            if not is_ours(type(owner)):
                self.found.shadowed(owner, name)
            return MISSING
        in_place = own or not hasattr(type(static), "__get__")
        if not in_place and not isinstance(static, MemberDescriptorType):
            self._follow(static)
            return MISSING
        found = getattr(owner, name, MISSING)
        if not (own and self.found.has_guard(owner)):
            kind = Kind.ATTRIBUTE if own or isinstance(static, MemberDescriptorType) else Kind.INHERITED
            self.found.put(attribute_name(owner, name), kind, owner, name, found)
        return found

    def _item(self, where: dict[Any, Any], key: Any, name: str) -> Any:
        found = where.get(key, MISSING)
        if not (isinstance(found, ModuleType) and is_foreign_module(found)):
            self.found.put(name, Kind.ITEM, where, key, found)
        return found

    def _cell(self, cell: Any, name: str) -> Any:
        if cell is None:
            return MISSING
        found = content_of(cell)
        self.found.put(f"the variable {name} around the function", Kind.CELL, cell, None, found)
        return found

    def _follow_all(self, found: Iterable[Any]) -> None:
        for each in found:
            self._follow(each)

    def _follow(self, found: Any, reads: bool = True) -> None:
        """Go on from something that is read as a whole. reads: False where it is a container that is only added to."""
        if reads and is_container(found):
            self.found.read(found)
        if found is MISSING or isinstance(found, _PLAIN) or id(found) in self._seen:
            return
        self._seen[id(found)] = found
        if isinstance(found, np.ndarray):
            self.found.put("a NumPy array that it reads", Kind.ARRAY, found, None, Elements(found))
        elif is_drawn_from(found):
            name = f"how far a {type(found).__name__} is that it draws from"
            self.found.put(name, Kind.DRAWN, found, None, Position(found))
        elif is_container(found):
            self._container(found)
        elif isinstance(found, FunctionType):
            self._function(found, {})
            self._follow(getattr(found, "__wrapped__", MISSING))
        elif isinstance(found, MethodType):
            self._follow(found.__self__)
            self._methods(found.__self__, found.__name__)
        elif isinstance(found, functools.partial):
            self._follow_all((found.func, *found.args, *found.keywords.values()))
        elif isinstance(found, operator.attrgetter | operator.methodcaller):
            names = (each for each in found.__reduce__()[1] if isinstance(each, str))
            self._loose.update(part for each in names for part in each.split("."))
        elif isinstance(found, weakref.ref):
            self._follow(found())
        elif isinstance(found, ChainMap):
            self._follow_all(found.maps)
        else:
            self._object(found)

    def _container(self, found: Any) -> None:
        if len(found) > MOST_ITEMS:
            return
        if not isinstance(found, tuple | frozenset):
            name = f"a {type(found).__name__} that it reads"
            self.found.put(name, Kind.CONTENTS, found, None, contents(found))
        self._follow_all(list(found.values()) if isinstance(found, dict) else list(found))

    def _object(self, found: Any) -> None:
        """An object or a class: attributes of it may be read by way of a local variable."""
        if id(found) in self._done or (isinstance(found, ModuleType) and is_foreign_module(found)):
            return
        self._done[id(found)] = set()
        self._seen[id(found)] = found
        self._note_caches([found])
        if isinstance(found, UserDict | UserList):
            self._follow(found.data)
        self._follow(inspect.getattr_static(found, "__wrapped__", MISSING))
        kind = found if isinstance(found, type) else type(found)
        if isinstance(found, type) and is_foreign_class(kind):
            return
        if is_ours(kind):
            self._follow_all(each for each in own_attributes(found).values() if is_function(each))
            return
        self._objects.append(found)
        for each in kind.__mro__:
            if not is_foreign_class(each):
                for name in list(vars(each)):
                    runs = isinstance(found, type) or name not in NOT_CALLED
                    if runs and name.startswith("__") and name.endswith("__"):
                        self._methods(found, name)
