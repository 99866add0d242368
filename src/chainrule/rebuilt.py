"""Whether a traced function changed a container that it was given: the caller's own is another, and would not change.

Lists, dicts, dataclasses and modules among the arguments are built anew around what stands for their arrays.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from . import tree
from .errors import TraceError
from .names import argument_name, name_of, parameters_of
from .source import SourceLine
from .surroundings.changed import is_plain
from .surroundings.place import MISSING, same

CHANGED = (
    "{name} changes {what}, but a compiled function is given a list, dict, dataclass or module of its own at each "
    "call: the one of the caller would stay as it is, and the next call begin with it again. Change a copy and return "
    "it, for the caller to give to the next call; or let the function find outside what changes, as tensors "
    "that it assigns to (t.assign(...))"
)


class Rebuilt:
    """The containers among the arguments of a function, as it is given them."""

    def __init__(self, arguments: Any) -> None:
        """arguments: (positional, named)."""
        self._before = [(path, each, _contents(each)) for path, each in _containers(arguments, ())]

    def check(self, function: Callable[..., Any]) -> None:
        """After the call. Raises a TraceError for the first that is no longer what it was."""
        for path, container, then in self._before:
            now = _contents(container)
            for key in {**then, **now}:
                if _is_changed(container, key, then.get(key, MISSING), now.get(key, MISSING)):
                    what = argument_name((*path, key), parameters_of(function))
                    raise TraceError(CHANGED.format(name=name_of(function), what=what), _source_of(function))


def _containers(found: Any, path: tree.Path) -> Iterator[tuple[tree.Path, Any]]:
    children = tree.children_of(found)
    if children is None:
        return
    if not isinstance(found, tuple | None):
        yield path, found
    held = _modules_in(found) if tree.is_registered(found) else dict(zip(children.keys, children.values))
    for key, each in held.items():
        yield from _containers(each, (*path, key))


def _modules_in(found: Any) -> dict[str, Any]:
    return {key: each for key, each in vars(found).items() if tree.is_registered(each)}


def _contents(container: Any) -> dict[Any, Any]:
    if isinstance(container, list):
        return dict(enumerate(container))
    if isinstance(container, dict):
        return dict(container)
    children = tree.children_of(container)
    named = {} if children is None or tree.is_registered(container) else dict(zip(children.keys, children.values))
    return {**named, **getattr(container, "__dict__", {})}


def _is_changed(container: Any, key: Any, then: Any, now: Any) -> bool:
    if same(now, then):
        return False
    if tree.is_registered(container):  # tensors that a module puts into its attributes are for others to look at
        return is_plain(now)
    kept = inspect.getattr_static(type(container), str(key), None)
    return not (then is MISSING and isinstance(kept, functools.cached_property))


def _source_of(function: Callable[..., Any]) -> SourceLine | None:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return None if code is None else SourceLine(code.co_filename, code.co_firstlineno, code.co_name)
