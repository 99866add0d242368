"""Loops of known length: what is carried lies in memory that the rounds share, what is stacked in slices.

A part of the carry that is stacked as well, before or after each round, has one stack that is a slice longer than the
loop: each round finds it in one slice and leaves it in the next, and nothing is copied. So it is with the state of a
recurrent net, whose gradient reads what every step began with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ...ir.graph import Equation, Graph
from ...ir.types import Shape
from ...records import dataclass
from ..planning.place import Place, dense
from ..planning.program import Repeat
from .body import lower_body

if TYPE_CHECKING:
    from ..planning.lowering import Lowering


@dataclass(frozen=True)
class _Carried:
    """Where each round finds a part of the carry and leaves it, where it lies in the end, and its stacks, if any."""

    found: Place
    left: Place
    last: Place
    before: Place | None = None
    after: Place | None = None


def lower_scan(lowering: Lowering, equation: Equation) -> None:
    """Append a loop."""
    _Scan(lowering, equation).run()


class _Scan:
    def __init__(self, lowering: Lowering, equation: Equation) -> None:
        self.lowering, self.equation, self.params = lowering, equation, equation.params
        self.body: Graph = equation.params["body"]
        self.fixed, self.carry, self.length = (equation.params[name] for name in ("constants", "carry", "length"))
        self.places = [lowering.place_of(value) for value in equation.inputs]
        self.before = self.body.inputs[self.fixed : self.fixed + self.carry]
        self.after, self.results = self.body.outputs[: self.carry], self.body.outputs[self.carry :]

    def run(self) -> None:
        """The carry first, then the stacks, then the body."""
        carried = [self._carried(number) for number in range(self.carry)]
        stacks = self._stacks(carried)
        values, last = self.equation.outputs, [part.last for part in carried]
        for value, place in zip(values, (*last, *(stacks[id(result)] for result in self.results))):
            self.lowering.places[id(value)] = place
        if self.length:
            self._repeat(carried, stacks)

    # -- what is carried

    def _carried(self, number: int) -> _Carried:
        initial = self.places[self.fixed + number]
        if self.length and self._is_stacked(number):
            return self._stacked(number, initial)
        own = self.lowering.temporary(self.before[number].type)
        self.lowering.copy(initial, own)
        return _Carried(own, own, own)

    def _is_stacked(self, number: int) -> bool:
        """Whether the loop gives what a part of the carry is before or after each round, and nobody minds where."""
        ours = (self.before[number], self.after[number])
        stacks = zip(self.results, self.equation.outputs[self.carry :])
        asked = [stack for result, stack in stacks if any(result is value for value in ours)]
        return bool(asked) and not any(id(stack) in self.lowering.wishes for stack in asked)

    def _stacked(self, number: int, initial: Place) -> _Carried:
        """One stack of length + 1: of what was before each round, and a slice further of what was after it."""
        kind = self.before[number].type
        stack = self.lowering.temporary(kind.with_shape((self.length + 1, *kind.shape)))
        first, others = _part(stack, 0, self.length), _part(stack, 1, self.length)
        before, after = (others, first) if self.params["reverse"] else (first, others)
        start, end = (self.length, 0) if self.params["reverse"] else (0, self.length)
        self.lowering.copy(initial, _one(stack, start))
        depth = self.lowering.depth
        return _Carried(_slice(before, depth), _slice(after, depth), _one(stack, end), before, after)

    # -- what is stacked

    def _stacks(self, carried: Sequence[_Carried]) -> dict[int, Place]:
        """By id of what the body gives: where its stack lies. What is given twice is stacked once."""
        stacks: dict[int, Place] = {}
        for part, before, after in zip(carried, self.before, self.after):
            if part.before is not None and part.after is not None:
                stacks.setdefault(id(before), part.before)
                stacks.setdefault(id(after), part.after)
        for result, value in zip(self.results, self.equation.outputs[self.carry :]):
            if id(result) not in stacks:
                stacks[id(result)] = self.lowering.allocate(value)
        return stacks

    # -- the body

    def _repeat(self, carried: Sequence[_Carried], stacks: dict[int, Place]) -> None:
        depth = self.lowering.depth
        known = {
            id(value) for part, pair in zip(carried, zip(self.before, self.after)) if part.before for value in pair
        }
        stacked = list({id(value): value for value in self.results if id(value) not in known}.values())
        slices = [_slice(place, depth) for place in self.places[self.fixed + self.carry :]]
        given = [*self.places[: self.fixed], *(part.found for part in carried), *slices]
        wanted = [*(part.left for part in carried), *(_slice(stacks[id(value)], depth) for value in stacked)]
        in_place = {number: self.fixed + number for number, part in enumerate(carried) if part.before is None}
        body = Graph(self.body.inputs, self.body.equations, (*self.after, *stacked), self.body.name)
        instructions = lower_body(self.lowering, body, given, wanted, in_place, 1)
        self.lowering.instructions.append(Repeat(instructions, self.length, bool(self.params["reverse"])))


def _part(stack: Place, start: int, length: int) -> Place:
    return replace(stack, shape=(length, *stack.shape[1:]), offset=stack.offset + start * stack.strides[0])


def _one(stack: Place, number: int) -> Place:
    shape: Shape = stack.shape[1:]
    return replace(stack, shape=shape, strides=dense(shape), offset=stack.offset + number * stack.strides[0])


def _slice(place: Place, depth: int) -> Place:
    """One slice along the first axis, the next one in each round."""
    steps = (*place.steps, (depth, place.strides[0]))
    return replace(place, shape=place.shape[1:], strides=place.strides[1:], steps=steps)
