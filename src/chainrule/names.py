"""What functions and their arguments are called, in messages and in graphs."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from . import tree


def name_of(function: Any) -> str:
    """The name that it was defined with, where it has one; else the name of its class."""
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__name__", type(function).__name__)


def argument_name(path: Sequence[Any], parameters: Sequence[str]) -> str:
    """An argument by its name, if it has one, and where in it. path: in (positional, named)."""
    by_name, place, *rest = path
    known = not by_name and place < len(parameters)
    return f"argument {tree.path_text((parameters[place] if known else place, *rest))}"


def parameters_of(function: Callable[..., Any]) -> list[str]:
    """The names of the parameters that may be given by position."""
    try:
        every = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [each.name for each in every if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
