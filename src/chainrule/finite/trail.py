"""Follow a NaN or an infinity back to the operation that made it out of finite numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..errors import LinearAlgebraError
from ..ir.graph import Equation, Graph, Value
from ..ir.types import NumpyArray, is_real_float
from ..records import dataclass
from ..source import SourceLine
from .inside import Round, computed, inside
from .operand import Operand, operand

Test = Callable[[NumpyArray], bool]


def has_nan(array: NumpyArray) -> bool:
    """Whether any element is NaN."""
    return is_real_float(array.dtype) and bool(np.isnan(array).any())


def is_bad(array: NumpyArray) -> bool:
    """Whether any element is NaN or infinite."""
    return is_real_float(array.dtype) and not bool(np.isfinite(array).all())


@dataclass(frozen=True)
class Birth:
    """Where something not finite was made, or where it came in.

    operation: the primitive, or "" for an input. what: "NaN" or "an infinity". rows: where in the batch, if that can
    be told. derives: the operation and line whose derivative it belongs to. layer: whose weights were used last on
    the way there; inside: the round of a loop, or the branch. part: the first row and the number of rows of the batch
    that this round has, where it has a part of it.
    """

    operation: str
    what: str
    operands: tuple[Operand, ...]
    result: Operand
    source: SourceLine | None
    derives: tuple[str, SourceLine | None] | None
    rows: tuple[int, ...]
    layer: str = ""
    inside: str = ""
    part: tuple[int, int] | None = None


@dataclass(frozen=True)
class Trail:
    """From the first cause to what was noticed. noticed: the name of the result or cell that is not finite."""

    noticed: str
    births: tuple[Birth, ...]


def follow(graph: Graph, inputs: Sequence[NumpyArray], names: Sequence[str], outputs: Sequence[str]) -> Trail | None:
    """Run `graph` by its meaning in NumPy and find the first cause; None where every output is finite.

    names: of the inputs; outputs: of the outputs, the most telling first.
    """
    run = _Run(graph, inputs, names)
    noticed = [(value, name) for value, name in zip(graph.outputs, outputs) if is_bad(run.array(value))]
    if not noticed:
        return None
    trails = [(run.trail(value), name) for value, name in noticed]
    births, _ = min(trails, key=lambda found: run.order(found[0][0][1]))
    return Trail(noticed[0][1], tuple(birth for birth, _ in births))


class _Run:
    """One run of a graph that keeps every array."""

    def __init__(self, graph: Graph, inputs: Sequence[NumpyArray], names: Sequence[str]) -> None:
        self.known = {id(value): np.asarray(array) for value, array in zip(graph.inputs, inputs)}
        self.names = {id(value): name for value, name in zip(graph.inputs, names)}
        self.places = {id(value): number - len(inputs) for number, value in enumerate(graph.inputs)}
        self.layers: dict[
            int, tuple[int, str]
        ] = {}  # by id of a value: when weights were used last, and of which layer
        for number, equation in enumerate(graph.equations):
            for value, result in zip(equation.outputs, self._computed(equation)):
                self.known[id(value)] = result
                self.places[id(value)] = number
                self.layers[id(value)] = self._layer(equation, number)

    def _computed(self, equation: Equation) -> Sequence[NumpyArray]:
        try:
            return computed(equation, [self.array(each) for each in equation.inputs])
        except LinearAlgebraError as error:  # told again, with the line
            raise LinearAlgebraError(error.message, equation.source) from None

    def _layer(self, equation: Equation, number: int) -> tuple[int, str]:
        found = [(-1, "")]
        for value in equation.inputs:
            kind, _, path = self.names.get(id(value), "").partition(" ")
            if kind == "parameter" and path and equation.derives is None:
                found.append((number, path.rpartition(".")[0]))
            found.append(self.layers.get(id(value), (-1, "")))
        return max(found)

    def array(self, value: Value) -> NumpyArray:
        """The elements of a value."""
        found = self.known.get(id(value), value.data)
        assert found is not None
        return found

    def order(self, value: Value) -> int:
        """When it was computed; inputs before everything else."""
        return self.places.get(id(value), -(10**9))

    def trail(self, value: Value) -> list[tuple[Birth, Value]]:
        """The births behind a value that is not finite, the first cause first."""
        test: Test = has_nan if has_nan(self.array(value)) else is_bad
        found: list[tuple[Birth, Value]] = []
        while True:
            equation = value.equation
            bad = [each for each in equation.inputs if test(self.array(each))] if equation is not None else []
            if bad:
                value = min(bad, key=self.order)
                continue
            what = "NaN" if test is has_nan else "an infinity"
            found = [*((birth, value) for birth in self._births(value, what, test)), *found]
            infinite = [each for each in equation.inputs if is_bad(self.array(each))] if equation is not None else []
            if not infinite:
                return found
            value, test = min(infinite, key=self.order), is_bad

    def _births(self, value: Value, what: str, test: Test) -> list[Birth]:
        """One, or those in the rounds of a loop that it came from: an infinity may have been carried into its own."""
        equation = value.equation
        arrays = [] if equation is None else [self.array(each) for each in equation.inputs]
        inner = None if equation is None else inside(equation, arrays, test)
        if equation is None or inner is None:
            return [self._birth(value, what)]
        births = self._births_in(equation, inner, test)
        before = inside(equation, arrays, is_bad)
        if births[0].operation or before is None or before.label == inner.label:
            return births
        return [*self._births_in(equation, before, is_bad), *births[1:]]

    def _births_in(self, equation: Equation, inner: Round, test: Test) -> list[Birth]:
        """Those in one round."""
        names = [self.names.get(id(each), "") for each in equation.inputs[len(equation.inputs) - len(inner.given) :]]
        run = _Run(inner.body, inner.given, inner.named(names))
        trails = [run.trail(each) for each in inner.body.outputs if test(run.array(each))]
        births, _ = zip(*min(trails, key=lambda found: run.order(found[0][1])))
        part = None if inner.slice is None else self._part(equation, inner.slice)
        return [
            replace(birth, inside=f"{birth.inside}{', ' * bool(birth.inside)}{inner.label}", part=birth.part or part)
            for birth in births
        ]

    def _part(self, equation: Equation, number: int) -> tuple[int, int] | None:
        """The first row and the number of rows of a loop's slice, where it goes through an argument part by part."""
        for value in equation.inputs[equation.params["constants"] + equation.params["carry"] :]:
            if value.equation is None or value.equation.primitive.name != "reshape" or value.ndim < 2:
                continue
            (whole,) = value.equation.inputs
            if whole.equation is not None and whole.equation.primitive.name == "slice":
                whole = whole.equation.inputs[0] if not any(whole.equation.params["starts"]) else whole
            is_argument = self.names.get(id(whole), "").startswith("argument")
            if is_argument and value.shape[2:] == whole.shape[1:]:
                return number * value.shape[1], value.shape[1]
        return None

    def _birth(self, value: Value, what: str) -> Birth:
        equation = value.equation
        array = self.array(value)
        rows = tuple(int(row) for row in bad_rows(array))
        if equation is None:
            result = operand(self.names.get(id(value), "a constant"), array)
            return Birth("", what, (), result, None, None, rows)
        operands = tuple(operand(name, self.array(each)) for name, each in zip(self._named(equation), equation.inputs))
        result = operand("result", array)
        layer = self.layers[id(value)][1]
        return Birth(equation.primitive.name, what, operands, result, equation.source, equation.derives, rows, layer)

    def _named(self, equation: Equation) -> list[str]:
        """What an operand is: an input by its name, a constant, or its place."""
        return [
            self.names.get(id(value), "constant" if value.data is not None else f"operand {place}")
            for place, value in enumerate(equation.inputs, 1)
        ]


MOST_ROWS = 1 << 20


def bad_rows(array: NumpyArray) -> NumpyArray:
    """Places along the first axis that hold something not finite; none where there is no axis, or all of them do."""
    if array.ndim == 0 or array.size == 0 or not is_real_float(array.dtype):
        return np.zeros(0, np.int64)
    rows = np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))
    return rows if len(rows) < len(array) or len(array) == 1 else np.zeros(0, np.int64)
