"""What a thing is to a walk: a container, an argument that is rebuilt, code behind a name of a class."""

from __future__ import annotations

import functools
from collections import deque
from dataclasses import is_dataclass
from types import FunctionType, MethodType
from typing import Any

import numpy as np

from ..tensor import Tensor
from .foreign import is_foreign_class, is_ours
from .place import MISSING


def is_rebuilt(argument: Any) -> bool:
    """Whether the function gets another one than the caller gave, of which each part is known by itself."""
    return is_container(argument) or is_dataclass(argument)


def content_of(cell: Any) -> Any:
    """What a variable around a function holds; MISSING where it has no value yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return MISSING


def own_attributes(found: Any) -> dict[str, Any]:
    """The attributes of an object itself."""
    return {} if isinstance(found, type) else getattr(found, "__dict__", {})


def is_container(found: Any) -> bool:
    """Whether all that it holds is looked at."""
    return isinstance(found, np.ndarray | list | tuple | dict | set | frozenset | deque)


def is_function(found: Any) -> bool:
    """Whether it is one that a user may have given to an object of this package."""
    if isinstance(found, FunctionType | MethodType | functools.partial):
        return True
    return callable(found) and not isinstance(found, Tensor | type) and not is_ours(type(found))


def code_of(static: Any) -> list[FunctionType]:
    """The functions behind what a class has under a name: a method, a property, a compiled function."""
    if isinstance(static, property):
        static = static.fget
    elif not isinstance(static, FunctionType | staticmethod | classmethod) and is_foreign_class(type(static)):
        inner = getattr(static, "__dict__", {})
        static = next((inner[name] for name in ("func", "function", "__wrapped__") if name in inner), None)
    static = static.__func__ if isinstance(static, staticmethod | classmethod) else static
    return [static] if isinstance(static, FunctionType) and static.__code__.co_filename != "<string>" else []
