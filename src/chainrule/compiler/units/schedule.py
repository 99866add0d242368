"""A graph's units in order, each lowered; outputs computed where wanted, if nobody still needs what lies there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...ir.graph import Value
from ..planning.compute_again import compute_again, drop_unused, read_outside
from ..planning.far import far_values
from ..planning.group import Grouping
from ..planning.lowering import Lowering
from ..planning.parts import wish_parts
from ..planning.place import Buffer, Place, dense, lies_at
from ..planning.repeat import repeat_cheap
from ..planning.unit import Unit, root_of
from .dispatch import lower_unit


def dense_place(buffer: Buffer, value: Value) -> Place:
    """A value in a buffer of its own, row-major."""
    return Place(buffer, value.dtype, value.shape, dense(value.shape))


def lower_graph(
    lowering: Lowering, given: Sequence[Place], wanted: Sequence[Place], in_place: Mapping[int, int]
) -> list[Unit]:
    """Lower the graph of `lowering`. given: where its inputs lie; wanted: where its outputs go, row-major.

    in_place: output number -> the input whose memory it takes over.
    """
    return _Schedule(lowering, given, wanted, in_place).run()


ORDERINGS = frozenset({"permute_dims", "identity", "stop_gradient"})
"""Views that only give axes another order."""


class _Schedule:
    def __init__(
        self, lowering: Lowering, given: Sequence[Place], wanted: Sequence[Place], in_place: Mapping[int, int]
    ) -> None:
        self.lowering, self.graph, self.wanted, self.in_place = lowering, lowering.graph, wanted, in_place
        for value, place in zip(self.graph.inputs, given):
            lowering.places[id(value)] = place

    def run(self) -> list[Unit]:
        """Lower everything."""
        grouping = Grouping(self.graph)
        self._save_inputs()
        compute_again(grouping, self.graph)
        self._note_readers(grouping)
        self._wish(grouping)
        wish_parts(self.lowering, grouping, {id(self.graph.outputs[number]) for number in self.in_place})
        units = grouping.ordered()
        repeat_cheap(units, self.lowering.users, self.lowering.output_ids)
        drop_unused(units, self.graph)
        units = [unit for unit in units if unit.members]
        self.lowering.outside = read_outside(units, self.graph)
        if self.lowering.outer is None and self.lowering.target.has_past_caches:
            self.lowering.far = far_values(units, self.lowering.outside)
        for unit in units:
            lower_unit(self.lowering, unit)
        self._finish()
        return units

    def _save_inputs(self) -> None:
        """Outputs that are inputs as they are (what a loop keeps of its carry) are copied before anything changes."""
        self.saved: set[int] = set()
        given = {self.lowering.places[id(value)].buffer.number for value in self.graph.inputs}
        for number, value in enumerate(self.graph.outputs):
            target = self.wanted[number]
            if value.equation is None and value.data is None and target.buffer.number not in given:
                self.lowering.copy(self.lowering.place_of(value), target)
                self.saved.add(number)

    def _wish(self, grouping: Grouping) -> None:
        taken: set[int] = set()
        for number, value in enumerate(self.graph.outputs):
            equation = value.equation
            if equation is None or value.data is not None or id(value) in taken:
                continue
            if id(equation) not in grouping.unit_of:
                if number not in self.in_place:
                    self._wish_behind(value, self.wanted[number], taken)
                continue
            if number in self.in_place and not self._may_overwrite(grouping, number, value):
                continue
            taken.add(id(value))
            self.lowering.wishes[id(value)] = self.wanted[number]

    def _wish_behind(self, value: Value, wanted: Place, taken: set[int]) -> None:
        """An output that only has the axes of another value in another order: that is computed where it goes."""
        root, chain = root_of(value)
        if root.equation is None or id(root) in taken or any(each.primitive.name not in ORDERINGS for each in chain):
            return
        axes = tuple(range(root.ndim))
        for each in chain:
            axes = tuple(axes[axis] for axis in each.params.get("axes", range(root.ndim)))
        strides = dict(zip(axes, wanted.strides))
        taken.add(id(root))
        own = tuple(strides[axis] for axis in range(root.ndim))
        self.lowering.wishes[id(root)] = replace(wanted, shape=root.shape, strides=own)

    def _may_overwrite(self, grouping: Grouping, number: int, value: Value) -> bool:
        old = self.graph.inputs[self.in_place[number]]
        assert value.equation is not None
        writer = grouping.unit_of[id(value.equation)]
        readers: set[int] = set()
        for unit, seen_as_it_is in self.readers.get(id(old), ()):
            if unit == writer and not (seen_as_it_is and _meets_in_place(grouping.units[unit], old, value)):
                return False
            readers.add(unit)
        if id(old) in self.returned:
            return False
        return grouping.wait_for(writer, readers)

    def _note_readers(self, grouping: Grouping) -> None:
        """Which units read each input, and whether as it is or through views; which are returned."""
        self.readers: dict[int, list[tuple[int, bool]]] = {}
        for number, unit in enumerate(grouping.units):
            for equation in unit.members:
                for operand in equation.inputs:
                    root, chain = root_of(operand)
                    if root.equation is None:
                        self.readers.setdefault(id(root), []).append((number, not chain))
        outputs = [value for number, value in enumerate(self.graph.outputs) if number not in self.saved]
        self.returned = {id(root_of(output)[0]) for output in outputs}

    def _finish(self) -> None:
        """Copy what lies elsewhere to where the caller expects it; first aside what would be overwritten."""
        lowering = self.lowering
        moves: list[tuple[Place, Place]] = []
        written = {id(place.buffer) for place in self.wanted}
        for number, (value, target) in enumerate(zip(self.graph.outputs, self.wanted)):
            if number in self.saved:
                continue
            source = lowering.place_of(value)
            if not lies_at(source, target):
                moves.append((source, target))
        staged = [(lowering.copied(s, None) if id(s.buffer) in written else s, t) for s, t in moves]
        for source, target in staged:
            lowering.copy(source, target)


def _meets_in_place(unit: Unit, old: Value, new: Value) -> bool:
    """Whether a nest that reads `old` and writes `new` over it reads each element before it writes it."""
    if not unit.is_nest or old.shape != new.shape:
        return False
    if id(new.equation) in unit.rows:
        return True
    return unit.axes is None and old.shape == unit.domain
