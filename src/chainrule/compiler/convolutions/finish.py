"""Sums of parts of a gradient of weights added up and laid out as weights are: (output channel, channel, row, column).

They come as (part, vector, channel, row, column, lane); so the lanes of a vector are turned into rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..planning.place import Place
from ..planning.program import pointer_to
from ..products.pack import scratch, split
from ..text.emit import Function, Reg, vector_of, word
from ..text.squares import turn_square
from .weight_plan import WeightPlan

if TYPE_CHECKING:
    from ..planning.lowering import Lowering

SQUARES = 4
"""How many squares of a vector are a task."""


class WeightFinish:
    """Adds in the order of the parts. One task is some squares of one vector of output channels."""

    def __init__(self, plan: WeightPlan, target: Place) -> None:
        self.plan, self.element, self.lanes = plan, plan.element, plan.lanes
        self.row = target.strides[0]
        self.length = plan.channels * plan.taps
        self.squares = self.length // self.lanes
        self.pieces = max(1, -(-self.squares // SQUARES))

    @staticmethod
    def suits(plan: WeightPlan, target: Place) -> bool:
        """Whether all of one output channel lies side by side."""
        rows, columns = plan.rows.kernel, plan.columns.kernel
        wanted = (rows * columns, columns, 1)
        sizes = (plan.channels, rows, columns)
        return all(have == want or size == 1 for have, want, size in zip(target.strides[1:], wanted, sizes))

    @property
    def tasks(self) -> int:
        """Pieces of all vectors."""
        return self.pieces * -(-self.plan.out // self.lanes)

    def write(self, f: Function, pointers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        """The kernel's body: pointers to sums and weights."""
        whole, rest = divmod(self.plan.out, self.lanes)
        square = scratch(f, self.element, self.lanes * self.lanes)
        with f.loop(begin, end) as loop:
            vector, piece = split(f, loop.index, self.pieces)
            sums = f.at(pointers[0], self.element, f.times(vector, self.plan.vector_step))
            to = f.at(pointers[1], self.element, f.times(vector, self.lanes * self.row))
            if whole:
                with f.when(f.compare("icmp slt", vector, word(whole))):
                    self._whole(f, sums, to, piece, square)
            if rest:
                with f.when(f.compare("icmp eq", vector, word(whole))):
                    self._single(f, sums, to, piece, 0, rest)

    def _whole(self, f: Function, sums: Reg, to: Reg, piece: Reg, square: Reg) -> None:
        low = f.times(piece, SQUARES)
        with f.loop(low, f.minimum(f.add(low, SQUARES), word(self.squares))) as loop:
            first = f.times(loop.index, self.lanes)
            with f.loop(0, self.lanes) as row:
                total = self._total(f, sums, f.add(first, row.index))
                f.store(total, f.at(square, self.element, f.times(row.index, self.lanes)))
            turn_square(f, self.element, self.lanes, square, self.lanes, f.at(to, self.element, first), self.row)
        if self.squares * self.lanes < self.length:
            self._single(f, sums, to, piece, self.squares * self.lanes, self.lanes)

    def _single(self, f: Function, sums: Reg, to: Reg, piece: Reg, start: int, lanes: int) -> None:
        """Element by element, from `start` on; the first piece does it."""
        with f.when(f.compare("icmp eq", piece, word(0))), f.loop(start, self.length) as loop:
            total = self._total(f, sums, loop.index)
            here = f.at(to, self.element, loop.index)
            for lane in range(lanes):
                f.store(f.extract(total, lane), f.at(here, self.element, lane * self.row))

    def _total(self, f: Function, sums: Reg, index: Reg) -> Reg:
        here = f.at(sums, self.element, f.times(index, self.lanes))
        vector = vector_of(self.element, self.lanes)
        total = f.load(vector, here)
        for chunk in range(1, self.plan.chunks):
            total = f.binary("fadd", total, f.load(vector, f.at(here, self.element, chunk * self.plan.size)))
        return total


def lower_finish(lowering: Lowering, plan: WeightPlan, sums: Place, target: Place, label: str) -> None:
    """Add up and lay out."""
    place = target if WeightFinish.suits(plan, target) else lowering.temporary(target.type)
    finish = WeightFinish(plan, place)
    key = (WeightFinish, sums.dtype, sums.shape, place.shape, place.strides)
    cost = float(plan.chunks * plan.size)
    pointers = [pointer_to(sums), pointer_to(place)]
    lowering.call(finish.write, pointers, finish.tasks, cost, [place.buffer], f"{label}: sum of parts", "", key)
    if place is not target:
        lowering.copy(place, target, f"{label}: laid out")
