"""What a program noted while it ran: an index outside its axis, or a matrix without a result. Which, whose, which line.

The program itself only tells that there was one, since more would cost every run. So what indices and matrices are
computed from is run again in NumPy, once there is an error to tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ...captured import Captured
from ...errors import LinearAlgebraError, OutOfRangeError
from ...ir.build import evaluate
from ...ir.graph import Equation, Graph, Value
from ...ir.types import NumpyArray
from ...ir.walk import bodies
from ...records import dataclass
from ...source import SourceLine
from .given import Step

Noted = OutOfRangeError | LinearAlgebraError

INDEXED = ("gather", "scatter_add")
"""The primitives that take indices; the second operand of each."""
SOLVED = ("solve", "cholesky")
"""Those that not every matrix has a result for."""
NOT_FOUND = "{}; call the function without compile to see which"
OUTSIDE = "an index lies outside its axis"
SINGULAR = "a matrix is singular (solve) or not positive definite (cholesky)"
ALREADY_WRITTEN = (
    "What the function updates in place (weights, moments) was updated by this call all the same, with {}: go on from "
    "a checkpoint, or from new weights (with check_finite=True it would have been put back)"
)
INSTEAD = {OutOfRangeError: "index 0 instead of this one", LinearAlgebraError: "NaN or infinity for a result"}
UNDONE = "What the function updates in place (weights, moments) is as it was before this step"


@dataclass(frozen=True)
class _Found:
    """What was wrong: the kind of error, its text, and the line."""

    kind: type[OutOfRangeError] | type[LinearAlgebraError]
    text: str
    source: SourceLine | None


def noted(captured: Captured, names: Sequence[str], given: Iterable[Step], undone: bool = False) -> Noted:
    """The error to raise. names: of the arguments; given: what the runs were given of which one failed.

    undone: whether cells are again as they were before it.
    """
    found = next(filter(None, (_find(captured, names, step) for step in given)), None) or _unknown(captured.graph)
    state = UNDONE if undone else ALREADY_WRITTEN.format(INSTEAD[found.kind])
    return found.kind(f"{found.text}{f'. {state}' if captured.written else ''}", found.source)


def _unknown(graph: Graph) -> _Found:
    """NumPy found nothing wrong: it may round another way, or weights that are written were other ones."""
    inner = list(_checked(graph))
    kinds = {OUTSIDE if each.primitive.name in INDEXED else SINGULAR for each in inner}
    kind = OutOfRangeError if OUTSIDE in kinds else LinearAlgebraError
    return _Found(kind, NOT_FOUND.format(", or ".join(sorted(kinds))), _only_line(inner))


def _only_line(equations: Iterable[Equation]) -> SourceLine | None:
    lines = {each.source for each in equations}
    return lines.pop() if len(lines) == 1 else None


def _find(captured: Captured, names: Sequence[str], step: Step) -> _Found | None:
    graph, search = captured.graph, _Search(captured, names, step)
    for equation in graph.equations:
        if id(equation) not in search.needed:
            continue
        found = search.wrong_index(equation) if equation.primitive.name in INDEXED else None
        if found is not None:
            return found
        try:
            search.compute(equation)
        except OutOfRangeError as error:  # in the body of a loop, or a branch
            return _index_inside(equation, error)
        except LinearAlgebraError as error:
            inner = [each for body in bodies(equation) for each in _checked(body) if each.primitive.name in SOLVED]
            return _Found(LinearAlgebraError, error.message, _only_line(inner) or equation.source)
    return None


def _index_inside(equation: Equation, error: OutOfRangeError) -> _Found:
    """What is known of an index in the body of a loop. Of one along several axes the number would not be the user's."""
    inner = [each for body in bodies(equation) for each in _checked(body) if each.primitive.name in INDEXED]
    several = any(_whole(each.inputs[0]).shape != each.inputs[0].shape for each in inner)
    given = "one of several axes" if several else error.message
    text = f"{OUTSIDE}: {given}; in {equation.primitive.name}"
    return _Found(OutOfRangeError, text, _only_line(inner) or equation.source)


def _checked(graph: Graph) -> Iterator[Equation]:
    """The equations that may go wrong, in a graph and in the bodies of its loops."""
    for equation in graph.equations:
        if equation.primitive.name in INDEXED + SOLVED:
            yield equation
        for body in bodies(equation):
            yield from _checked(body)


class _Search:
    """One step made again in NumPy, as far as indices and matrices follow from it."""

    def __init__(self, captured: Captured, names: Sequence[str], step: Step) -> None:
        cells = [cell.read() for cell in captured.cells]
        held = [np.zeros(()) if value is None or value.data is None else value.data for value in cells]
        given = [*step.arguments, *held, *map(np.float64, step.numbers)]
        self.step, self.inputs = step, captured.graph.inputs
        self.arrays: dict[int, NumpyArray] = {id(value): np.asarray(array) for value, array in zip(self.inputs, given)}
        outside = ["a tensor outside the function"] * (len(self.inputs) - len(names))
        self.names = [*names, *outside]
        self.needed = _needed(captured.graph)

    def array(self, value: Value) -> NumpyArray:
        known = self.arrays.get(id(value), value.data)
        assert known is not None
        return known

    def compute(self, equation: Equation) -> None:
        """Its outputs, if they are asked for."""
        if self.needed[id(equation)]:
            types = tuple(value.type for value in equation.outputs)
            arrays = [self.array(value) for value in equation.inputs]
            results = evaluate(equation.primitive, arrays, dict(equation.params), types)
            self.arrays.update((id(value), result) for value, result in zip(equation.outputs, results))

    def wrong_index(self, equation: Equation) -> _Found | None:
        """The first index of a gather or scatter_add that lies outside."""
        table, value = equation.inputs[:2]
        indices, size = self.array(value), table.shape[0]
        wrong = np.flatnonzero((indices < 0) | (indices >= size))
        if not wrong.size:
            return None
        whole = _whole(table)
        parts = list(self._sources(value, int(wrong[0])))
        number = indices.ravel()[wrong[0]]
        given = ", ".join(parts) or f"{number} at position {_place(wrong[0], indices.shape)} of the indices"
        if whole.shape != table.shape:
            expected = f"the array has shape {whole.shape}"
        else:
            expected = f"expected 0 to {size - 1}" if size else "the axis has no elements"
        text = f"{OUTSIDE}: {given}; {expected} ({equation.primitive.name})"
        return _Found(OutOfRangeError, text, equation.source)

    def _sources(self, value: Value, place: int) -> Iterator[str]:
        """What the integers hold, of those that the function was given, from which an index at this place follows."""
        behind = _behind(value)
        for source, name in zip(self.inputs, self.names):
            if id(source) in behind and source.dtype.kind in "iu" and source.size == value.size:
                number = self.array(source).ravel()[place]
                yield f"{name} holds {number} at position {_place(place, source.shape)}{self._row(source, place)}"

    def _row(self, source: Value, place: int) -> str:
        rows = self.step.rows
        if rows is None or not source.ndim or source.shape[0] != len(rows):
            return ""
        row = int(rows[np.unravel_index(place, source.shape)[0]])
        return f" of its batch, which is row {row} of the data"


def _place(flat: int, shape: Sequence[int]) -> str:
    return str(tuple(map(int, np.unravel_index(flat, tuple(shape)))))


def _whole(table: Value) -> Value:
    """The array as it was before it was laid out flat to be indexed along several axes; itself where it was not."""
    equation = table.equation
    return table if equation is None or equation.primitive.name != "reshape" else equation.inputs[0]


def _behind(value: Value) -> set[int]:
    """By id, every value from which this one follows."""
    found, waiting = set(), [value]
    while waiting:
        each = waiting.pop()
        if id(each) not in found:
            found.add(id(each))
            waiting += each.equation.inputs if each.equation is not None else ()
    return found


def _needed(graph: Graph) -> dict[int, bool]:
    """By id, the equations to look at, and whether they are computed: not those whose indices are all that is asked."""
    wanted: set[int] = set()
    needed: dict[int, bool] = {}
    for equation in reversed(graph.equations):
        name = equation.primitive.name
        is_computed = (
            any(id(value) in wanted for value in equation.outputs)
            or name in SOLVED
            or any(True for body in bodies(equation) for _ in _checked(body))
        )
        if is_computed or name in INDEXED:
            needed[id(equation)] = is_computed
            wanted |= {id(value) for value in (equation.inputs if is_computed else equation.inputs[1:2])}
    return needed
