"""What a program is made from, as a short name: the same graph gives the same name in every process.

Lines of the user's source are no part of it, nor what a custom gradient calls: no code depends on them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ...ir.graph import Equation, Graph, Value
from ...ir.types import NumpyArray

NOT_READ = frozenset({"custom_gradient"})
"""Primitives whose parameters that are functions are never called by compiled code."""
MAKERS = ("compiler", "passes", "ops", "ir")
"""The parts of the package whose source decides what code a graph becomes."""


class UnknownParameter(Exception):
    """A parameter that has no text which says all of it."""


def signature_of(graph: Graph) -> str | None:
    """A hash of the structure of a graph, its types, parameters and constants; None where it has no such name."""
    try:
        return hashlib.sha256("\n".join(_Describer().lines(graph)).encode()).hexdigest()
    except UnknownParameter:
        return None


class _Describer:
    def __init__(self) -> None:
        self.numbers: dict[int, str] = {}  # of values, by id

    def lines(self, graph: Graph) -> list[str]:
        """Graph by graph, equation by equation: each value is known by the number of its appearance."""
        found = [f"graph {len(graph.inputs)}"]
        for value in graph.inputs:
            self._number(value)
            found.append(str(value.type))
        for equation in graph.equations:
            found.append(self._equation(equation))
            for value in equation.outputs:
                self._number(value)
        found.append("return " + " ".join([self._name(value) for value in graph.outputs]))
        return found

    def _number(self, value: Value) -> None:
        self.numbers[id(value)] = f"%{len(self.numbers)}"

    def _name(self, value: Value) -> str:
        known = self.numbers.get(id(value))
        if known is None:
            if value.data is None:
                raise UnknownParameter(f"a value of type {value.type} that nothing assigns")
            known = self.numbers[id(value)] = f"{value.type}={_digest(value.data)}"
        return known

    def _equation(self, equation: Equation) -> str:
        inputs = " ".join([self._name(value) for value in equation.inputs])
        params = self._params(equation.primitive.name, equation.params) if equation.params else ""
        return f"{equation.primitive.name} {inputs} {params}"

    def _params(self, primitive: str, params: Mapping[str, Any]) -> str:
        shown = [
            f"{name}={self._parameter(each)}"
            for name, each in params.items()
            if not (primitive in NOT_READ and callable(each))
        ]
        return " ".join(shown)

    def _parameter(self, parameter: Any) -> str:
        kind = type(parameter)
        if kind is int or kind is str or kind is bool or kind is float or parameter is None:
            return repr(parameter)
        if kind is tuple:
            return "(" + ",".join([self._parameter(each) for each in parameter]) + ")"
        if isinstance(parameter, np.dtype | np.generic):
            return f"{kind.__name__}:{parameter!r}"
        if isinstance(parameter, Graph):
            return "{" + "\n".join(self.lines(parameter)) + "}"
        raise UnknownParameter(f"a parameter of type {kind.__name__}")


def _digest(array: NumpyArray) -> str:
    """Of the elements of an array; one number that fills it is told as such, without looking at all of it."""
    if array.size and not any(array.strides):
        return f"all {array[(0,) * array.ndim].tobytes().hex()}"
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


@lru_cache(maxsize=1)
def fingerprint() -> str:
    """Of the source that turns graphs into code: the sizes and times of its files; a program made by another is none
    of ours."""
    package = Path(__file__).parents[2]
    found = hashlib.sha256()
    for part in MAKERS:
        for name, status in sorted(_sources(package, part), key=lambda source: source[0]):
            found.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return found.hexdigest()


def _sources(package: Path, folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """The files of Python in a folder and those within it: their names below the package, and what is known of them."""
    with os.scandir(package / folder) as entries:
        for entry in entries:
            name = f"{folder}/{entry.name}"
            if entry.is_dir():
                yield from _sources(package, name)
            elif entry.name.endswith(".py"):
                yield name, entry.stat()
