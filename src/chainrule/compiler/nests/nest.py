"""The loop nest of a unit: loops over its domain in the order of memory, vectors along the innermost axis.

A nest that reduces runs in phases. In phase p the axes that are reduced are gone over once: it computes what the
reductions of level p need, then the rows that follow from them, which level p + 1 may use. What a later phase needs
again is computed again if it is cheap, else kept in memory.
"""

from __future__ import annotations

import math
from contextlib import ExitStack

from ..planning.nest_plan import phase_of
from ..planning.unit import is_reduction
from ..text.emit import Reg, word
from .loops import Loops
from .ragged import ragged
from .reduce import ReducingPass
from .sweep import Sweep, block_of, sweeps

TASK_ELEMENTS = 4096


class Nest:
    """Writes the body of one kernel: tasks begin to end of a unit."""

    def __init__(self, loops: Loops) -> None:
        self.loops, self.f, self.unit = loops, loops.f, loops.unit

    # -- how it is divided

    @property
    def tasks(self) -> int:
        """How many tasks there are; it follows from the shapes alone."""
        loops = self.loops
        if loops.whole is not None:
            return 1
        if loops.outer:
            return loops.outer[0].size
        if loops.lane_axis is None or loops.lane_axis.reduced:
            return 1
        return -(-loops.lane_axis.size // (block_of(loops) if sweeps(loops) else self._block))

    @property
    def _block(self) -> int:
        """Elements of the lane axis in one task, where tasks are parts of it."""
        per_place = math.prod(axis.size for axis in self.loops.inner)
        return self.loops.full_lanes * max(1, TASK_ELEMENTS // (self.loops.full_lanes * per_place))

    # -- the loops

    def write(self, begin: Reg, end: Reg) -> None:
        """The whole body."""
        loops = self.loops
        if loops.whole is not None:
            loops.lanes, loops.lanes_open = math.prod(self.unit.domain), True
            self._single_place()
            return
        loops.hoist()
        self.sweep = Sweep(loops) if sweeps(loops) else None  # before any loop: it makes room for totals
        self._outer_loops(0, begin, end)
        if any(operand.far for operand in loops.stores.values()):
            self.f.wait_for_far()

    def _outer_loops(self, depth: int, begin: Reg, end: Reg) -> None:
        outer = self.loops.outer
        if depth == len(outer):
            self._lane_loop_or_rows(begin, end, bool(outer))
            return
        axis = outer[depth]
        start, stop = (begin, end) if depth == 0 else (word(0), word(axis.size))
        with self.loops.open(axis, start, stop):
            self._outer_loops(depth + 1, begin, end)

    def _lane_loop_or_rows(self, begin: Reg, end: Reg, divided: bool) -> None:
        loops = self.loops
        axis = loops.lane_axis
        if axis is None or axis.reduced:
            loops.lanes_open = axis is None
            self._phases()
            return
        if self.sweep is not None:
            self.sweep.write(*((word(0), word(self.sweep.blocks)) if divided else (begin, end)))
            return
        size, lanes = axis.size, loops.full_lanes
        whole = size // lanes * lanes
        start, stop = word(0), word(whole)
        if not divided:
            start = self.f.times(begin, self._block)
            stop = self.f.times(end, self._block)
            if size % self._block:  # else the code is that of nests of other sizes, too
                stop = self.f.minimum(stop, word(whole))
        loops.lanes_open = True
        if whole:
            loops.lanes = lanes
            with loops.open(axis, start, stop, lanes):
                self._phases()
        if size > whole:
            loops.ragged = ragged(size - whole, loops.vector_lanes) if loops.outer and self.unit.axes is None else None
            loops.lanes = loops.ragged.lanes if loops.ragged else size - whole
            with ExitStack() as stack:
                if not divided and whole:
                    stack.enter_context(self.f.when(self.f.compare("icmp eq", end, word(self.tasks))))
                stack.enter_context(loops.open(axis, word(whole), word(whole + 1)))
                self._phases()
        loops.lanes_open, loops.ragged = False, None
        loops.lanes = 0

    def _phases(self) -> None:
        """One row, or one vector of rows: all phases."""
        loops = self.loops
        if self.unit.axes is None or (not loops.inner and not (loops.lane_axis and loops.lane_axis.reduced)):
            self._single_place()
            return
        loops.rows = {}
        loops.rows_of(0)
        for phase in range(loops.last_phase + 1):
            self._phase(phase)
            loops.rows_of(phase + 1)

    def _single_place(self) -> None:
        """No axis is reduced (or all that are have size 1): every member once, in order."""
        loops = self.loops
        loops.rows = {}
        memo: dict[int, Reg] = {}
        for equation in self.unit.members:
            value = equation.outputs[0]
            if is_reduction(equation):
                memo[id(value)] = loops.value(equation.inputs[0], memo)
            else:
                memo[id(value)] = loops.compute(equation, memo)
        for equation in self.unit.members:
            loops.keep(equation, memo[id(equation.outputs[0])])

    def _phase(self, phase: int) -> None:
        loops = self.loops
        here = [equation for equation in self.unit.members if phase_of(equation, loops.levels) == phase]
        reductions = [equation for equation in here if is_reduction(equation)]
        kept = [e for e in here if id(e) not in self.unit.rows and id(e.outputs[0]) in loops.stores]
        if not reductions and not kept:
            return
        body = ReducingPass(loops, phase, reductions, kept)
        for equation, total in zip(reductions, body.run()):
            loops.rows[id(equation.outputs[0])] = total
