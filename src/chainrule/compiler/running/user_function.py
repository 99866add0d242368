"""The function that a user gives: whether it can be compiled, and how it is found again by its name."""

from __future__ import annotations

import functools
import inspect
import sys
from typing import Any

from ...errors import ConfigurationError
from ...names import name_of

NO_PLAIN_FUNCTION = (
    "compile takes a function that gives arrays, but {name} is {kind}: it does its work piece by piece, after the "
    "call. Compile the work between two pieces as a function of its own, and call that {place}"
)


def check_can_compile(function: Any) -> None:
    """Raises ConfigurationError for what is no function, or gives its results one by one or later."""
    if not callable(function):
        raise ConfigurationError(f"compile takes a function, not {function!r}")
    named = {"name": name_of(function)}
    if inspect.iscoroutinefunction(function):
        raise ConfigurationError(NO_PLAIN_FUNCTION.format(kind="async", place="in the async function", **named))
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigurationError(NO_PLAIN_FUNCTION.format(kind="a generator", place="in the generator", **named))


def name_where_found(compiled: Any) -> str | None:
    """The name under which its module has it, if it does: so pickle and copy find it again."""
    name, module = getattr(compiled, "__qualname__", None), sys.modules.get(compiled.__module__)
    try:
        found: Any = functools.reduce(inspect.getattr_static, str(name).split("."), module)
    except AttributeError:
        return None
    return name if found is compiled else None
