"""What a graph is, as a short name: graphs that do the same by the same equations in the same order have the same one.

It is the same in every process. Lines of the user's source are no part of it, nor what only a derivative reads.
"""

from __future__ import annotations

import hashlib
import itertools
from typing import Any

import numpy as np

from .graph import Equation, Graph, Value
from .show import is_splat
from .types import NumpyArray


class UnknownParameter(Exception):
    """A parameter that has no text which says all of it."""


def signature_of(graph: Graph) -> str | None:
    """A hash of the structure of a graph, its types, parameters and constants; None where it has no such name."""
    try:
        return hashlib.sha256("\n".join(_Describer().lines(graph)).encode()).hexdigest()
    except UnknownParameter:
        return None


def same_graph(one: Graph, other: Graph) -> bool:
    """Whether they do the same to the bit by the same equations in the same order. In doubt they do not."""
    signature = signature_of(one)
    return signature is not None and signature == signature_of(other)


class _Describer:
    def __init__(self) -> None:
        self.numbers: dict[int, str] = {}  # of values, by id
        self.count = itertools.count()

    def lines(self, graph: Graph) -> list[str]:
        """Graph by graph, equation by equation: each value is known by the number of its appearance.

        Several bodies may be made of the same values: in each they get new numbers.
        """
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
        self.numbers[id(value)] = f"%{next(self.count)}"

    def _name(self, value: Value) -> str:
        known = self.numbers.get(id(value))
        if known is None:
            if value.data is None:
                raise UnknownParameter(f"a value of type {value.type} that nothing assigns")
            known = self.numbers[id(value)] = f"{value.type}={_digest(value, value.data)}"
        return known

    def _equation(self, equation: Equation) -> str:
        inputs = " ".join([self._name(value) for value in equation.inputs])
        params = self._params(equation) if equation.params else ""
        return f"{equation.primitive.name} {inputs} {params}"

    def _params(self, equation: Equation) -> str:
        unread = equation.primitive.for_derivative
        read = [(name, each) for name, each in equation.params.items() if name not in unread]
        return " ".join([f"{name}={self._parameter(each)}" for name, each in read])

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


def _digest(value: Value, array: NumpyArray) -> str:
    """Of the elements of a constant; one number that fills it is told as such, without looking at all of it."""
    if is_splat(value):
        return f"all {array[(0,) * array.ndim].tobytes().hex()}"
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
