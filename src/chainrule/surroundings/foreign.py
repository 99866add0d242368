"""Whose code it is: the user's own is followed, that of Python, of NumPy and of installed packages is not."""

from __future__ import annotations

import functools
import sys
from types import FunctionType, ModuleType
from typing import Any

_PACKAGE = __name__.split(".")[0]
_KNOWN = {*sys.stdlib_module_names, _PACKAGE, "numpy", "builtins"} - {"__main__"}
_INSTALLED = ("site-packages", "dist-packages")


@functools.cache
def _is_foreign(name: str, file: str) -> bool:
    return name.split(".")[0] in _KNOWN or any(each in file for each in _INSTALLED)


def is_foreign_function(function: FunctionType) -> bool:
    """Whether a function is part of a library."""
    return _is_foreign(str(function.__globals__.get("__name__")), function.__code__.co_filename)


def is_foreign_module(module: ModuleType) -> bool:
    """Whether a module is part of a library."""
    return _is_foreign(module.__name__, getattr(module, "__file__", None) or "")


def is_foreign_class(kind: type[Any]) -> bool:
    """Whether a class is part of a library."""
    module = sys.modules.get(kind.__module__)
    return _is_foreign(kind.__module__, getattr(module, "__file__", None) or "")


def is_ours(kind: type[Any]) -> bool:
    """Whether a class is one of this package, or of NumPy."""
    return kind.__module__.split(".")[0] in (_PACKAGE, "numpy")
