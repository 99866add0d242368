"""The loops of a nest that are open, and values at the place where they stand: read, computed, stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...ir.graph import Equation, Value
from ..arithmetic.scalar import emit_scalar
from ..planning.nest_plan import EXPENSIVE, Axis, Operand, collapse, levels, phase_of
from ..planning.unit import Unit, is_reduction, root_of
from ..text.emit import Function, Reg, const, element_type, memory_type, vector_of, word
from .ragged import Ragged, places_from
from .whole import fits_one_vector, gather_lanes, load_lanes, places_of, scatter_lanes, store_lanes, widest_bytes


class Loops:
    """Those over the axes of one unit. lanes: of the vectors at the present place, where they are open."""

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

    def _choose_lanes(self) -> int:
        names = [equation.primitive.name for equation in self.unit.members]
        dear = sum(name in EXPENSIVE for name in names)
        registers = 1 if dear > 4 or len(names) > 24 else 2 if dear or len(names) > 6 else 4
        return self.vector_lanes * registers

    def open(self, axis: Axis, start: Reg, stop: Reg, step: int = 1, carried: Sequence[Reg] = ()) -> Any:
        """One of them, for a `with` block."""
        return _Opened(self, axis, start, stop, step, carried)

    # -- values

    def value(self, value: Value, memo: dict[int, Reg], phase: int = 0) -> Reg:
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
        memo[id(root)] = self.compute(equation, memo, phase)
        return memo[id(root)]

    def compute(self, equation: Equation, memo: dict[int, Reg], phase: int = 0) -> Reg:
        """A member at the present place."""
        inputs = [self.value(value, memo, phase) for value in equation.inputs]
        dtypes = [value.dtype for value in equation.inputs]
        return emit_scalar(self.f, equation.primitive.name, inputs, equation.params, dtypes, equation.outputs[0].dtype)

    @property
    def open_lanes(self) -> int:
        """Of a vector at the present place; 0 where it holds one number."""
        return self.lanes if self.lanes_open else 0

    def _spread(self, value: Reg) -> Reg:
        lanes = self.open_lanes
        return self.f.splat(value, lanes) if lanes and not value.lanes else value

    def _read(self, value: Value) -> Reg:
        if id(value) in self.literals:
            return const(vector_of(element_type(value.dtype), self.open_lanes), self.literals[id(value)])
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
        lanes = self.open_lanes
        stride = operand.strides[self.lane_axis.inner] if self.lane_axis and lanes else 0
        if lanes and stride == 1:
            return (
                self.ragged.load(self.f, dtype, address) if self.ragged else self.f.load_elements(dtype, lanes, address)
            )
        if not lanes or stride == 0:
            return self._spread(self.f.load_elements(dtype, 0, address))
        return gather_lanes(self.f, dtype, address, [place * stride for place in places_from(self.ragged, lanes)])

    def keep(self, equation: Equation, value: Reg) -> None:
        """Store a member that someone else reads."""
        operand = self.stores.get(id(equation.outputs[0]))
        if operand is None:
            return
        if self.whole is not None:
            store_lanes(self.f, operand, places_of(self.unit, self.whole, operand), self._spread(value))
            return
        f, dtype, address = self.f, operand.place.dtype, self._address(operand)
        lanes = self.open_lanes
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

    def rows_of(self, level: int) -> None:
        """Compute what each row has once, and follows from the reductions below this level."""
        for equation in self.unit.members:
            value = equation.outputs[0]
            if id(equation) not in self.unit.rows or self.levels[id(value)] != level:
                continue
            if not is_reduction(equation):
                self.rows[id(value)] = self.compute(equation, self.rows)
            self.keep(equation, self.rows[id(value)])

    # -- reading ahead of inner loops

    def hoist(self) -> list[int]:
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

    def __init__(self, loops: Loops, axis: Axis, start: Reg, stop: Reg, step: int, carried: Sequence[Reg]) -> None:
        self.loops, self.axis = loops, axis
        self.manager = loops.f.loop(start, stop, step, carried)

    def __enter__(self) -> Any:
        self.loop = self.manager.__enter__()
        self.loops.index[self.axis.inner] = self.loop.index
        self.loaded = self.loops.hoist()
        return self.loop

    def __exit__(self, *exception: Any) -> Any:
        for key in self.loaded:
            del self.loops.hoisted[key]
        del self.loops.index[self.axis.inner]
        return self.manager.__exit__(*exception)
