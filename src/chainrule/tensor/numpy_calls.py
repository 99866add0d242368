"""NumPy's own functions given a tensor: its operators are ours; of the others it is told what ours is called."""

from __future__ import annotations

import dis
import sys
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import TraceError

REFLECTED = {
    "add": "__radd__",
    "subtract": "__rsub__",
    "multiply": "__rmul__",
    "divide": "__rtruediv__",
    "floor_divide": "__rfloordiv__",
    "remainder": "__rmod__",
    "power": "__rpow__",
    "matmul": "__rmatmul__",
    "bitwise_and": "__rand__",
    "bitwise_or": "__ror__",
    "bitwise_xor": "__rxor__",
    "equal": "__eq__",
    "not_equal": "__ne__",
    "less": "__gt__",
    "less_equal": "__ge__",
    "greater": "__lt__",
    "greater_equal": "__le__",
}
"""What NumPy's operators call, with an array on the left -> the method of the tensor on the right."""


def operator_of(ufunc: Any, method: str, inputs: tuple[Any, ...], options: dict[str, Any]) -> str | None:
    """The method of the tensor that an operator asks for; None where a function of NumPy was called."""
    if method != "__call__" or len(inputs) != 2 or hasattr(type(inputs[0]), "_own_value"):
        return None
    if options and not (set(options) == {"out"} and _is_statement()):
        return None
    return REFLECTED.get(ufunc.__name__)


def _is_statement() -> bool:
    """Whether the user wrote `array += tensor`, which gives the name a new tensor, and no call with out=array."""
    frame = sys._getframe(3)
    return dis.opname[frame.f_code.co_code[frame.f_lasti]] == "BINARY_OP"


def refusal(function: Any, shown: str, traced: bool) -> TypeError:
    """The error for a function of NumPy that takes no tensors, or no traced ones."""
    ours = list(_ours(function))
    mend = f"use {' or '.join(ours)}" if ours else "make it of functions of chainrule"
    if traced:
        return TraceError(f"{shown} was given a traced value, whose elements are not known while tracing: {mend}")
    return TypeError(f"{shown} takes no tensors: {mend}, or give it tensor.numpy()")


def shown(function: Any) -> str:
    """A function of NumPy as people write it."""
    module = str(getattr(function, "__module__", None) or "numpy")
    return f"{module.replace('numpy', 'np', 1)}.{getattr(function, '__name__', function)}"


def _ours(function: Any) -> Iterator[str]:
    """Our functions of the same name, of another name that NumPy has for it, or of a longer one."""
    package = import_module("..", __package__)
    for theirs, ours, prefix in (
        (np, package, "cr"),
        (np.linalg, package.linalg, "cr.linalg"),
        (np.fft, package.fft, "cr.fft"),
    ):
        names = [name for name in dir(theirs) if getattr(theirs, name, None) is function]
        same = [name for name in names if _is_function(ours, name)]
        longer = [name for name in dir(ours) if name.endswith(tuple(f"_{each}" for each in names)) and names]
        if names:
            yield from (
                f"{prefix}.{name}" for name in (same[:1] or [each for each in longer if _is_function(ours, each)])
            )


def _is_function(module: ModuleType, name: str) -> bool:
    return callable(getattr(module, name, None)) and not name.startswith("_")
