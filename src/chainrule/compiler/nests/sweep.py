"""Reductions over outer axes, row after row as memory lies: each row is added to totals that stay in the first cache.

The other way, a strip of columns from top to bottom, would touch a new page of memory with every row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ...ir.graph import Equation
from ...ir.types import DType
from ..planning.unit import is_reduction
from ..text.emit import Reg, const, element_type, memory_type, vector_of, word
from .loops import Loops
from .reduce import combine, identity_of

TOTALS_BYTES = 8 << 10
FEWEST_BLOCKS = 8


def sweeps(loops: Loops) -> bool:
    """Whether a nest is written so: one pass of reductions over axes outside of lanes that are more than one vector."""
    axis = loops.lane_axis
    return (
        bool(loops.inner)
        and axis is not None
        and not axis.reduced
        and loops.last_phase == 0
        and axis.size > loops.full_lanes
    )


def block_of(loops: Loops) -> int:
    """How many lanes are gone over at a time: their totals fit the first cache, and there are some tasks."""
    assert loops.lane_axis is not None
    size = loops.lane_axis.size
    row = sum(equation.outputs[0].dtype.itemsize for equation in loops.unit.members if is_reduction(equation))
    most = max(1, TOTALS_BYTES // max(1, row * loops.full_lanes))
    if not loops.outer:
        most = min(most, -(-size // (FEWEST_BLOCKS * loops.full_lanes)))
    return loops.full_lanes * most


class Sweep:
    """Writes the lanes of one nest, blocks of them begin to end."""

    def __init__(self, loops: Loops) -> None:
        assert loops.lane_axis is not None
        self.loops, self.f, self.axis = loops, loops.f, loops.lane_axis
        self.block = block_of(loops)
        self.whole = self.axis.size // loops.full_lanes * loops.full_lanes
        members = loops.unit.members
        self.reductions = [equation for equation in members if is_reduction(equation)]
        self.kept = [e for e in members if id(e) not in loops.unit.rows and id(e.outputs[0]) in loops.stores]
        self.totals = [self._room(equation) for equation in self.reductions]

    @property
    def blocks(self) -> int:
        """How many there are."""
        return -(-self.axis.size // self.block)

    def _room(self, equation: Equation) -> Reg:
        name, element = self.f.fresh("totals"), memory_type(equation.outputs[0].dtype)
        count = min(self.block, self.axis.size)
        self.f.lines.insert(0, f"  {name} = alloca [{count} x {element}], align 64")
        return Reg("ptr", name)

    def write(self, begin: Reg, end: Reg) -> None:
        """All of it: totals of nothing, the rows, what follows from the totals."""
        with self.f.loop(begin, end) as loop:
            self._lanes(loop.index, self._clear)
            self._rows(0, loop.index)
            self._lanes(loop.index, self._finish)

    def _rows(self, depth: int, block: Reg) -> None:
        if depth == len(self.loops.inner):
            self._lanes(block, self._add)
            return
        axis = self.loops.inner[depth]
        with self.loops.open(axis, word(0), word(axis.size)):
            self._rows(depth + 1, block)

    # -- along the lanes of a block

    def _lanes(self, block: Reg, body: Callable[[Reg], None]) -> None:
        """body(place among the totals) for each vector of a block; the last block has the lanes that are left over."""
        f, loops = self.f, self.loops
        low = f.times(block, self.block)
        high = f.minimum(f.add(low, self.block), word(self.whole))
        loops.lanes_open = True
        if self.whole:
            with self._vectors(loops.full_lanes, low, high) as index:
                body(f.binary("sub nsw", index, low))
        if self.axis.size > self.whole:
            last = f.compare("icmp eq", block, word(self.blocks - 1))
            with (
                f.when(last),
                self._vectors(self.axis.size - self.whole, word(self.whole), word(self.whole + 1)) as index,
            ):
                body(f.binary("sub nsw", index, low))
        loops.lanes_open, loops.lanes = False, 0

    @contextmanager
    def _vectors(self, lanes: int, low: Reg, high: Reg) -> Iterator[Reg]:
        self.loops.lanes = lanes
        with self.loops.open(self.axis, low, high, lanes) as loop:
            yield loop.index

    def _totals(self, place: Reg) -> Iterator[tuple[Equation, DType, Reg]]:
        """The reductions, the types of their totals, and where those lie."""
        for equation, totals in zip(self.reductions, self.totals):
            dtype = equation.outputs[0].dtype
            yield equation, dtype, self.f.at(totals, memory_type(dtype), place)

    def _clear(self, place: Reg) -> None:
        for equation, dtype, at in self._totals(place):
            start = const(vector_of(element_type(dtype), self.loops.lanes), identity_of(equation.primitive.name, dtype))
            self.f.store_elements(dtype, start, at)

    def _add(self, place: Reg) -> None:
        loops, memo = self.loops, dict[int, Reg]()
        terms = [loops.value(equation.inputs[0], memo) for equation in self.reductions]
        values = [loops.value(equation.outputs[0], memo) for equation in self.kept]
        for equation, value in zip(self.kept, values):  # what is written may lie over what was read
            loops.keep(equation, value)
        for term, (equation, dtype, at) in zip(terms, self._totals(place)):
            before = self.f.load_elements(dtype, loops.lanes, at)
            self.f.store_elements(dtype, combine(self.f, equation, before, term), at)

    def _finish(self, place: Reg) -> None:
        loops, f = self.loops, self.f
        loops.rows = {}
        loops.rows_of(0)
        for equation, dtype, at in self._totals(place):
            loops.rows[id(equation.outputs[0])] = f.load_elements(dtype, loops.lanes, at)
        loops.rows_of(1)
        loops.rows = {}
