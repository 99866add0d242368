"""Large sums of what is linear in values whose sums are known already: no pass over the elements at all.

So the gradient of batch norm needs one pass for its two sums and one for its result: Σ(g·s + c·k) = s·Σg + k·Σc. The
sums that are known come first in the graph; only the order of roundings changes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from ...ir.graph import Equation, Graph, Value
from ...ir.primitive import Primitive, all_primitives
from ...passes.remove_unused import remove_unused
from ...passes.rewrite import Inputs, Rewriter, apply_rules, full

LARGE = 1 << 16
DEPTH = 8

Axes = tuple[int, ...]


def reuse_sums(graph: Graph) -> Graph:
    """`graph` with sums put together from others where that can be."""
    known = all_primitives()
    finder = _Known(known)
    return remove_unused(apply_rules(graph, {known["sum"]: (finder.rule,)}))


class _Known:
    """The sums over large arrays that have been met, by what is summed over which axes."""

    def __init__(self, primitives: Mapping[str, Primitive]) -> None:
        self.primitives = primitives
        self.sums: dict[tuple[int, Axes], Value] = {}
        self.met: list[Value] = []  # kept alive: they are known by their ids

    def rule(self, rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
        """A sum made of known ones, or the sum itself, remembered."""
        (value,) = inputs
        if value.size < LARGE or value.dtype.kind != "f" or not equation.outputs[0].size:
            return None
        axes = tuple(sorted(axis % value.ndim for axis in equation.params["axes"]))
        plan = _Plan(self, rewriter, axes, equation.outputs[0])
        found = plan.of(value, 0)
        result = found() if found is not None else rewriter.emit(equation.primitive, value, **equation.params)
        self.sums[id(value), axes] = result
        self.met.append(value)
        return result


Make = Callable[[], Value]


class _Plan:
    """How one sum is made; nothing is written before it is known that all of it can be."""

    def __init__(self, known: _Known, rewriter: Rewriter, axes: Axes, like: Value) -> None:
        self.known, self.rewriter, self.axes, self.like = known, rewriter, axes, like

    def of(self, value: Value, depth: int) -> Make | None:
        """What writes the sum of `value`; None where it has to be gone over."""
        done = self.known.sums.get((id(value), self.axes))
        if done is not None:
            return lambda: done
        equation = value.equation
        if equation is None or value.data is not None or depth == DEPTH:
            return None
        name = equation.primitive.name
        if name in ("add", "subtract", "negative"):
            return self._each(equation, depth)
        if name == "multiply":
            return self._scaled(equation, depth)
        row = self._row(value)
        return self._times(row, lambda: self._number(self._count(value))) if row is not None else None

    def _each(self, equation: Equation, depth: int) -> Make | None:
        parts = [self.of(value, depth + 1) for value in equation.inputs]
        made = [part for part in parts if part is not None]
        if len(made) < len(parts):
            return None
        return lambda: self._emit(equation.primitive.name, *(part() for part in made))

    def _scaled(self, equation: Equation, depth: int) -> Make | None:
        for one, other in (equation.inputs, equation.inputs[::-1]):
            row = self._row(one)
            part = self.of(other, depth + 1) if row is not None else None
            if row is not None and part is not None:
                return self._times(row, part)
        return None

    def _times(self, row: Value, part: Make) -> Make:
        return lambda: self._emit("multiply", part(), self._shaped(row))

    def _row(self, value: Value) -> Value | None:
        """What is the same along the axes that are summed, without them: the input of a broadcast."""
        equation = value.equation
        if equation is None or value.data is not None or equation.primitive.name != "broadcast_to":
            return None
        (row,) = equation.inputs
        missing = value.ndim - row.ndim
        kept = [size for axis, size in enumerate(value.shape) if axis not in self.axes]
        here = [1 if axis < missing else row.shape[axis - missing] for axis in range(value.ndim)]
        fits = all(here[axis] == 1 for axis in self.axes)
        return row if fits and math.prod(kept) == row.size == self.like.size else None

    def _shaped(self, row: Value) -> Value:
        return row if row.shape == self.like.shape else self._emit("reshape", row, shape=self.like.shape)

    def _count(self, value: Value) -> int:
        return math.prod(value.shape[axis] for axis in self.axes)

    def _number(self, number: int) -> Value:
        return full(number, self.like.type)

    def _emit(self, name: str, *inputs: Value, **params: object) -> Value:
        return self.rewriter.emit(self.known.primitives[name], *inputs, **params)
