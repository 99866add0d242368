"""One pass of a nest over the axes that it reduces: stores what is kept, accumulates the reductions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...ir.graph import Equation
from ..arithmetic.scalar import emit_scalar
from ..text.emit import Function, Reg, const, element_type, vector_of, word
from ..text.tile import horizontal
from .loops import Loops


class ReducingPass:
    """One pass over the reduced axes: stores what is kept, accumulates the reductions."""

    def __init__(self, loops: Loops, phase: int, reductions: list[Equation], kept: list[Equation]) -> None:
        self.loops, self.phase, self.reductions, self.kept = loops, phase, reductions, kept
        axis = loops.lane_axis
        self.across = axis is not None and axis.reduced  # lanes run along a reduced axis
        size = axis.size if axis is not None and self.across else 0
        self.whole = size // loops.full_lanes * loops.full_lanes if self.across else 0
        self.rest = size - self.whole if self.across else 0

    def run(self) -> list[Reg]:
        """The reductions' results: scalars where lanes run along a reduced axis, else vectors of rows."""
        widths = list(self._widths())
        starts = [self._identity(equation, lanes) for lanes in widths for equation in self.reductions]
        ends = self._loops(0, starts)
        count = len(self.reductions)
        parts = [ends[start : start + count] for start in range(0, len(ends), count)] if count else []
        if not self.across:
            return parts[0] if parts else []
        return [self._total(equation, [part[k] for part in parts]) for k, equation in enumerate(self.reductions)]

    def _widths(self) -> list[int]:
        """Lanes of each set of accumulators."""
        if not self.across:
            return [self.loops.open_lanes]
        return [*([self.loops.full_lanes] if self.whole else []), *([self.rest] if self.rest else [])]

    def _identity(self, equation: Equation, lanes: int) -> Reg:
        dtype = equation.outputs[0].dtype
        return const(vector_of(element_type(dtype), lanes), identity_of(equation.primitive.name, dtype))

    def _loops(self, depth: int, accumulators: list[Reg]) -> list[Reg]:
        loops = self.loops
        if depth == len(loops.inner):
            return self._lanes(accumulators) if self.across else self._place(accumulators)
        axis = loops.inner[depth]
        with loops.open(axis, word(0), word(axis.size), 1, accumulators) as loop:
            loop.carry(*self._loops(depth + 1, loop.carried))
        return list(loop.results)

    def _lanes(self, accumulators: list[Reg]) -> list[Reg]:
        loops, count = self.loops, len(self.reductions)
        axis = loops.lane_axis
        assert axis is not None
        results: list[Reg] = []
        loops.lanes_open = True
        if self.whole:
            loops.lanes = loops.full_lanes
            with loops.open(axis, word(0), word(self.whole), loops.full_lanes, accumulators[:count]) as loop:
                loop.carry(*self._place(loop.carried))
            results += loop.results
        if self.rest:
            loops.lanes = self.rest
            with loops.open(axis, word(self.whole), word(self.whole + 1)):
                results += self._place(accumulators[len(results) :])
        loops.lanes_open, loops.lanes = False, 0
        return results

    def _place(self, accumulators: Sequence[Reg]) -> list[Reg]:
        loops = self.loops
        memo: dict[int, Reg] = {}
        terms = [loops.value(equation.inputs[0], memo, self.phase) for equation in self.reductions]
        values = [loops.value(equation.outputs[0], memo, self.phase) for equation in self.kept]
        for equation, value in zip(self.kept, values):  # what is written may lie over what was read
            loops.keep(equation, value)
        return [
            combine(loops.f, equation, accumulator, term)
            for equation, accumulator, term in zip(self.reductions, accumulators, terms)
        ]

    def _total(self, equation: Equation, parts: list[Reg]) -> Reg:
        sums = [horizontal(self.loops.f, part, lambda a, b: combine(self.loops.f, equation, a, b)) for part in parts]
        total = sums[0]
        for other in sums[1:]:
            total = combine(self.loops.f, equation, total, other)
        return total


def identity_of(name: str, dtype: Any) -> Any:
    """What a reduction of nothing gives."""
    if name == "sum":
        return 0
    if name in ("all", "any"):
        return name == "all"
    if dtype.kind == "f":
        return float("-inf") if name == "max" else float("inf")
    bits = 8 * dtype.itemsize
    if dtype.kind == "u":
        return 0 if name == "max" else 2**bits - 1
    return -(2 ** (bits - 1)) if name == "max" else 2 ** (bits - 1) - 1


COMBINE = {"sum": "add", "max": "maximum", "min": "minimum", "all": "bitwise_and", "any": "bitwise_or"}


def combine(f: Function, equation: Equation, left: Reg, right: Reg) -> Reg:
    """Two partial results of a reduction as one."""
    dtype = equation.outputs[0].dtype
    return emit_scalar(f, COMBINE[equation.primitive.name], [left, right], {}, [dtype, dtype], dtype)
