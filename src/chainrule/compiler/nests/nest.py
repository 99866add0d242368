"""The loop nest of a unit: loops over its domain in the order of memory, vectors along the innermost axis.

A nest that reduces runs in phases. In phase p the axes that are reduced are gone over once: it computes what the
reductions of level p need, then the rows that follow from them, which level p + 1 may use. What a later phase needs
again is computed again if it is cheap, else kept in memory.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from ...ir.graph import Equation, Value
from ..arithmetic.scalar import emit_scalar
from ..planning.nest_plan import EXPENSIVE, Axis, Operand, collapse, levels, phase_of
from ..planning.unit import Unit, is_reduction, root_of
from ..text.emit import Function, Reg, const, element_type, memory_type, vector_of, word
from .ragged import Ragged, places_from, ragged
from .reduce import ReducingPass
from .sweep import Sweep, block_of, sweeps
from .whole import fits_one_vector, gather_lanes, load_lanes, places_of, scatter_lanes, store_lanes, widest_bytes

TASK_ELEMENTS = 4096


class Nest:
    """Writes the body of one kernel: tasks begin to end of a unit."""

    def __init__(
        self,
        function: Function,
        unit: Unit,
        operands: Mapping[int, Operand],
        literals: Mapping[int, Any],
        stores: Mapping[int, Operand],
        order: Sequence[int],
        vector_bytes: int,
        joined: bool = True,
    ) -> None:
        """joined: whether axes that memory goes through as one are one loop."""
        self.f, self.unit, self.operands, self.literals, self.stores = function, unit, operands, literals, stores
        self.levels = levels(unit)
        self.by_value = {id(equation.outputs[0]): equation for equation in unit.members}
        every = [operand.strides for operand in (*operands.values(), *stores.values())]
        axes = collapse(unit, order, every) if joined else [Axis(unit.domain[axis], False, axis) for axis in order]
        self.whole = order if fits_one_vector(unit, axes, vector_bytes) else None  # all lanes at once
        self.lane_axis = axes[-1] if axes else None
        self.outer = [axis for axis in axes if not axis.reduced and axis is not self.lane_axis]
        self.inner = [axis for axis in axes if axis.reduced and axis is not self.lane_axis]
        self.vector_lanes = max(1, vector_bytes // widest_bytes(unit))
        self.full_lanes = self._choose_lanes()
        self.last_phase = max((phase_of(equation, self.levels) for equation in unit.members), default=0)
        self.index: dict[int, Reg] = {}  # open loops: innermost domain axis -> index
        self.lanes = 0
        self.lanes_open = False
        self.ragged: Ragged | None = None
        self.hoisted: dict[int, Reg] = {}
        self.rows: dict[int, Reg] = {}

    # -- how it is divided

    def _choose_lanes(self) -> int:
        names = [equation.primitive.name for equation in self.unit.members]
        dear = sum(name in EXPENSIVE for name in names)
        registers = 1 if dear > 4 or len(names) > 24 else 2 if dear or len(names) > 6 else 4
        return self.vector_lanes * registers

    @property
    def tasks(self) -> int:
        """How many tasks there are; it follows from the shapes alone."""
        if self.whole is not None:
            return 1
        if self.outer:
            return self.outer[0].size
        if self.lane_axis is None or self.lane_axis.reduced:
            return 1
        return -(-self.lane_axis.size // (block_of(self) if sweeps(self) else self._block))

    @property
    def _block(self) -> int:
        """Elements of the lane axis in one task, where tasks are parts of it."""
        per_place = 1
        for axis in self.inner:
            per_place *= axis.size
        return self.full_lanes * max(1, TASK_ELEMENTS // (self.full_lanes * per_place))

    # -- the loops

    def write(self, begin: Reg, end: Reg) -> None:
        """The whole body."""
        if self.whole is not None:
            self.lanes, self.lanes_open = math.prod(self.unit.domain), True
            self._single_place()
            return
        self._hoist()
        self.sweep = Sweep(self) if sweeps(self) else None  # before any loop: it makes room for totals
        self._outer_loops(0, begin, end)
        if any(operand.far for operand in self.stores.values()):
            self.f.wait_for_far()

    def _outer_loops(self, depth: int, begin: Reg, end: Reg) -> None:
        if depth == len(self.outer):
            self._lane_loop_or_rows(begin, end, bool(self.outer))
            return
        axis = self.outer[depth]
        start, stop = (begin, end) if depth == 0 else (word(0), word(axis.size))
        with self._open(axis, start, stop):
            self._outer_loops(depth + 1, begin, end)

    def _open(self, axis: Axis, start: Reg, stop: Reg, step: int = 1, carried: Sequence[Reg] = ()) -> Any:
        return _Opened(self, axis, start, stop, step, carried)

    def _lane_loop_or_rows(self, begin: Reg, end: Reg, divided: bool) -> None:
        axis = self.lane_axis
        if axis is None or axis.reduced:
            self.lanes_open = axis is None
            self._phases()
            return
        if self.sweep is not None:
            self.sweep.write(*((word(0), word(self.sweep.blocks)) if divided else (begin, end)))
            return
        size, lanes = axis.size, self.full_lanes
        whole = size // lanes * lanes
        start, stop = word(0), word(whole)
        if not divided:
            start = self.f.times(begin, self._block)
            stop = self.f.times(end, self._block)
            if size % self._block:  # else the code is that of nests of other sizes, too
                stop = self.f.minimum(stop, word(whole))
        self.lanes_open = True
        if whole:
            self.lanes = lanes
            with self._open(axis, start, stop, lanes):
                self._phases()
        if size > whole:
            self.ragged = ragged(size - whole, self.vector_lanes) if self.outer and self.unit.axes is None else None
            self.lanes = self.ragged.lanes if self.ragged else size - whole
            with ExitStack() as stack:
                if not divided and whole:
                    stack.enter_context(self.f.when(self.f.compare("icmp eq", end, word(self.tasks))))
                stack.enter_context(self._open(axis, word(whole), word(whole + 1)))
                self._phases()
        self.lanes_open, self.ragged = False, None
        self.lanes = 0

    def _phases(self) -> None:
        """One row, or one vector of rows: all phases."""
        if self.unit.axes is None or (not self.inner and not (self.lane_axis and self.lane_axis.reduced)):
            self._single_place()
            return
        self.rows = {}
        self._rows_of(0)
        for phase in range(self.last_phase + 1):
            self._phase(phase)
            self._rows_of(phase + 1)

    def _single_place(self) -> None:
        """No axis is reduced (or all that are have size 1): every member once, in order."""
        self.rows = {}
        memo: dict[int, Reg] = {}
        for equation in self.unit.members:
            value = equation.outputs[0]
            if is_reduction(equation):
                memo[id(value)] = self._value(equation.inputs[0], memo)
            else:
                memo[id(value)] = self._compute(equation, memo)
        for equation in self.unit.members:
            self._keep(equation, memo[id(equation.outputs[0])])

    def _rows_of(self, level: int) -> None:
        for equation in self.unit.members:
            value = equation.outputs[0]
            if id(equation) not in self.unit.rows or self.levels[id(value)] != level:
                continue
            if not is_reduction(equation):
                self.rows[id(value)] = self._compute(equation, self.rows)
            self._keep(equation, self.rows[id(value)])

    def _phase(self, phase: int) -> None:
        here = [equation for equation in self.unit.members if phase_of(equation, self.levels) == phase]
        reductions = [equation for equation in here if is_reduction(equation)]
        kept = [e for e in here if id(e) not in self.unit.rows and id(e.outputs[0]) in self.stores]
        if not reductions and not kept:
            return
        body = ReducingPass(self, phase, reductions, kept)
        for equation, total in zip(reductions, body.run()):
            self.rows[id(equation.outputs[0])] = total

    # -- values

    def _value(self, value: Value, memo: dict[int, Reg], phase: int = 0) -> Reg:
        """A member or an operand at the present place, as a vector where lanes are open."""
        root, _ = root_of(value)
        if id(root) in memo:
            return self._spread(memo[id(root)])
        if id(root) in self.rows:
            return self._spread(self.rows[id(root)])
        equation = self.by_value.get(id(root))
        if equation is None:
            return self._read(value)
        if self.levels[id(root)] < phase and id(root) in self.stores:
            return self._load(self.stores[id(root)])
        memo[id(root)] = self._compute(equation, memo, phase)
        return memo[id(root)]

    def _compute(self, equation: Equation, memo: dict[int, Reg], phase: int = 0) -> Reg:
        inputs = [self._value(value, memo, phase) for value in equation.inputs]
        dtypes = [value.dtype for value in equation.inputs]
        return emit_scalar(self.f, equation.primitive.name, inputs, equation.params, dtypes, equation.outputs[0].dtype)

    def _spread(self, value: Reg) -> Reg:
        lanes = self.lanes if self.lanes_open else 0
        return self.f.splat(value, lanes) if lanes and not value.lanes else value

    def _read(self, value: Value) -> Reg:
        lanes = self.lanes if self.lanes_open else 0
        if id(value) in self.literals:
            return const(vector_of(element_type(value.dtype), lanes), self.literals[id(value)])
        if id(value) in self.hoisted:
            return self._spread(self.hoisted[id(value)])
        return self._load(self.operands[id(value)])

    def _address(self, operand: Operand) -> Reg:
        f, place = self.f, word(0)
        for axis, index in self.index.items():
            place = f.add(place, f.times(index, operand.strides[axis]))
        return f.at(operand.pointer, memory_type(operand.place.dtype), place)

    def _load(self, operand: Operand) -> Reg:
        if self.whole is not None:
            return load_lanes(self.f, operand, places_of(self.unit, self.whole, operand))
        dtype, address = operand.place.dtype, self._address(operand)
        lanes = self.lanes if self.lanes_open else 0
        stride = operand.strides[self.lane_axis.inner] if self.lane_axis and lanes else 0
        if lanes and stride == 1:
            return (
                self.ragged.load(self.f, dtype, address) if self.ragged else self.f.load_elements(dtype, lanes, address)
            )
        if not lanes or stride == 0:
            return self._spread(self.f.load_elements(dtype, 0, address))
        return gather_lanes(self.f, dtype, address, [place * stride for place in places_from(self.ragged, lanes)])

    def _keep(self, equation: Equation, value: Reg) -> None:
        """Store a member that someone else reads."""
        operand = self.stores.get(id(equation.outputs[0]))
        if operand is None:
            return
        if self.whole is not None:
            store_lanes(self.f, operand, places_of(self.unit, self.whole, operand), self._spread(value))
            return
        f, dtype, address = self.f, operand.place.dtype, self._address(operand)
        lanes = self.lanes if self.lanes_open else 0
        stride = operand.strides[self.lane_axis.inner] if self.lane_axis and lanes else 0
        if self.ragged and stride == 1:
            self.ragged.store(f, dtype, self._spread(value), address)
        elif operand.far and lanes and lanes % self.vector_lanes == 0 and stride == 1:
            f.store_far(self._spread(value), address, self.vector_lanes * dtype.itemsize)
        elif not lanes or stride == 1:
            f.store_elements(dtype, self._spread(value), address)
        else:
            places = [place * stride for place in places_from(self.ragged, lanes)]
            scatter_lanes(f, dtype, address, places, self._spread(value))

    # -- reading ahead of inner loops

    def _hoist(self) -> list[int]:
        """Load what no loop that is still to open changes; gives the ids, so that leaving the loop forgets them."""
        loaded = []
        opened = set(self.index)
        for key, operand in self.operands.items():
            varies = {axis.inner for axis in self._all_axes() if operand.strides[axis.inner]}
            if key not in self.hoisted and varies <= opened:
                self.hoisted[key] = self._load(operand)
                loaded.append(key)
        return loaded

    def _all_axes(self) -> list[Axis]:
        return [*self.outer, *self.inner, *([self.lane_axis] if self.lane_axis else [])]


class _Opened:
    """A loop of the nest: while open its axis has an index, and loads that depend on no further loop are done."""

    def __init__(self, nest: Nest, axis: Axis, start: Reg, stop: Reg, step: int, carried: Sequence[Reg]) -> None:
        self.nest, self.axis = nest, axis
        self.manager = nest.f.loop(start, stop, step, carried)

    def __enter__(self) -> Any:
        self.loop = self.manager.__enter__()
        self.nest.index[self.axis.inner] = self.loop.index
        self.loaded = self.nest._hoist()
        return self.loop

    def __exit__(self, *exception: Any) -> Any:
        for key in self.loaded:
            del self.nest.hoisted[key]
        del self.nest.index[self.axis.inner]
        return self.manager.__exit__(*exception)
