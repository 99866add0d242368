"""A guard of what a module was made of when a function was traced: its parts, its options, tensors that it holds."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator
from types import CodeType
from typing import Any

from .errors import TraceError
from .surroundings.changed import Left, left
from .surroundings.places import same
from .tensor import Parameter, Tensor

CHANGES = [0]
"""How often an attribute of any module was set or deleted: guards look again only then."""

REPLACED = (
    "{module} reads the tensor {name!r} and puts another one in its place, which a compiled function can't: each call "
    "would begin with the first one again. Change it in place: self.{name}.assign(...), or self.{name} += ..."
)


class ModuleGuard:
    """What a module was made of, and the attributes that the code of its class or the function names, as they were."""

    key = "attributes"

    def __init__(self, module: Any, modules: type[Any], names: frozenset[str]) -> None:
        """modules: the class of all modules. names: those in the code of the function."""
        self.where, self._modules = module, modules
        self._parts = dict(self._parts_now())
        named = names | _named_in(type(module), modules)  # type: ignore[arg-type]
        self._others = {key: each for key, each in vars(module).items() if key in named and key not in self._parts}
        self._others.pop("training", None)  # it has a guard of its own
        self._counted: str | None = None  # an attribute that the function itself changes

    def _parts_now(self) -> Iterator[tuple[str, Any]]:
        return ((key, each) for key, each in vars(self.where).items() if isinstance(each, Parameter | self._modules))

    def settle(self, has_read: Callable[[Tensor], bool], made: Collection[int]) -> None:
        """At the end of the trace. has_read: whether it read a tensor from outside. made: ids of those that it made.

        What the trace itself put there for others to look at is no matter. What the next call would read is: who traced
        it again would find another. Raises TraceError for a tensor that was read and replaced: state of the module.
        """
        now = vars(self.where)
        for key, then in list(self._others.items()):
            found = now.get(key)
            if same(found, then):
                continue
            match left(then, found, has_read, made):
                case Left.REPLACED:
                    raise TraceError(REPLACED.format(module=type(self.where).__name__, name=key))
                case Left.STATE:
                    self._counted = key
                case _:
                    del self._others[key]

    @property
    def holds(self) -> bool:
        """Whether everything is what it was."""
        return self._changed() is None

    @property
    def name(self) -> str:
        """What has changed."""
        return f"the attribute {self._changed()!r} of {type(self.where).__name__}"

    def _changed(self) -> str | None:
        if self._counted is not None:
            return self._counted
        now = vars(self.where)
        parts = dict(self._parts_now())
        for key in parts | self._parts:
            if parts.get(key) is not self._parts.get(key):
                return key
        return next((key for key, then in self._others.items() if not same(now.get(key), then)), None)


@functools.cache
def _named_in(kind: type[Any], modules: type[Any]) -> frozenset[str]:
    """Names that the code of a class of modules contains: attributes that it may read."""
    classes = [each for each in kind.__mro__ if issubclass(each, modules) and each is not modules]
    methods = [each for one in classes for name, each in vars(one).items() if name != "__init__"]
    return frozenset().union(*map(names_in, methods))


def names_in(function: Any) -> frozenset[str]:
    """Names that the code of a function contains."""
    code = getattr(function, "__code__", None)
    return frozenset() if code is None else frozenset(_names(code))


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _names(each)
