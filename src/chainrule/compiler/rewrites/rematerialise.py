"""Less memory than a step would take: parts of its forward pass are computed again where the backward pass needs them.

What is kept from the forward pass for later is most where the backward pass begins. The equations before that are cut
into segments, where as little as possible is alive that the forward pass itself still reads; that is kept. Of the other
values that a segment gives to the backward pass none is kept: just before the first of them is needed, the equations of
the segment that lead to them are done once more (Chen et al. 2016). They are the same numbers, but for last bits where
the kernels that they become take sums in another order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...ir.graph import Equation, Graph, Value
from ..planning.unit import root_of

SHORT = 8
"""Equations after which a value is held to be kept, and not one that a loop nest takes along."""


@dataclass(frozen=True)
class Segment:
    """Equations start to stop of a graph."""

    start: int
    stop: int


class Forward:
    """The forward pass of a graph: its equations up to the place where most is kept, in segments."""

    def __init__(self, graph: Graph, count: int) -> None:
        self.graph = graph
        self.place = {id(value): n for n, equation in enumerate(graph.equations) for value in equation.outputs}
        self.last = _last_uses(graph)
        self.end = self._turning_point()
        self.segments = self._segments(count)

    def _turning_point(self) -> int:
        """Before which equation the most bytes are alive that live long."""
        changes = [0] * (len(self.graph.equations) + 2)
        for value, born, died in self._lives():
            if died - born > SHORT:
                changes[born + 1] += value.type.nbytes
                changes[died + 1] -= value.type.nbytes
        alive, most, found = 0, 0, 0
        for place, change in enumerate(changes):
            alive += change
            if alive > most:
                most, found = alive, place
        return found

    def _lives(self) -> Iterable[tuple[Value, int, int]]:
        """Values that take memory, where each is made and where it is read last, also through views."""
        for born, equation in enumerate(self.graph.equations):
            for value in equation.outputs:
                if root_of(value)[0] is value:
                    yield value, born, self.last.get(id(value), born)

    def _segments(self, count: int) -> list[Segment]:
        """So many, that hand on about as much each, cut where the forward pass needs the least of what came before."""
        given = [0] * (self.end + 1)  # by each equation, to what comes after the forward pass
        alive = [0] * (self.end + 2)  # before each equation, within the forward pass
        within = _last_uses(self.graph, self.end)
        for value, born, died in self._lives():
            if born < self.end:
                given[born] += value.type.nbytes if died >= self.end else 0
                alive[born + 1] += value.type.nbytes
                alive[min(within.get(id(value), born), self.end) + 1] -= value.type.nbytes
        for place in range(1, len(alive)):
            alive[place] += alive[place - 1]
        cuts = _cuts(given[: self.end], alive, count)
        return [Segment(*each) for each in zip([0, *cuts], [*cuts, self.end])]

    def again(self, segments: Sequence[Segment]) -> Graph:
        """The graph with these segments computed again."""
        return _Again(self, segments).graph()


def _last_uses(graph: Graph, end: int | None = None) -> dict[int, int]:
    """Id of a value that takes memory -> the last equation (before `end`) that reads it; outputs to the very end."""
    last: dict[int, int] = {}
    for number, equation in enumerate(graph.equations[:end]):
        for value in equation.inputs:
            last[id(root_of(value)[0])] = number
    if end is None:
        last.update((id(root_of(value)[0]), len(graph.equations)) for value in graph.outputs)
    return last


def _cuts(given: Sequence[int], alive: Sequence[int], count: int) -> list[int]:
    """Places between equations: near the count-th parts of the sum of `given` those where the least is alive."""
    total, marks, running = sum(given), [0], 0
    for nbytes in given:
        running += nbytes
        marks.append(running)
    cuts: list[int] = []
    for number in range(1, count):
        low, high = (total * (2 * number + side) / (2 * count) for side in (-1, 1))
        window = [place for place, mark in enumerate(marks) if low <= mark < high and place > (cuts[-1] if cuts else 0)]
        if window:
            cuts.append(min(window, key=lambda place: (alive[place], place)))
    return cuts


class _Again:
    """Writes a graph anew, with segments of its forward pass done once more where they are needed."""

    def __init__(self, forward: Forward, segments: Sequence[Segment]) -> None:
        self.forward, self.old = forward, forward.graph
        self.segment_of = {n: each for each in segments for n in range(each.start, each.stop)}
        self.kept = self._kept(segments)
        self.new: dict[int, Value] = {}
        self.equations: list[Equation] = list(self.old.equations[: forward.end])
        self.done: set[int] = set()

    def _kept(self, segments: Sequence[Segment]) -> set[int]:
        """Ids of the values that the forward pass hands from one segment to what comes after it."""
        stops = {n: each.stop for each in segments for n in range(each.start, each.stop)}
        kept = {id(value) for value in self.old.outputs}
        for number, equation in enumerate(self.old.equations[: self.forward.end]):
            for value in equation.inputs:
                for each in (value, root_of(value)[0]):
                    born = self.forward.place.get(id(each))
                    if born is not None and number >= stops.get(born, number + 1):
                        kept.add(id(each))
        return kept

    def graph(self) -> Graph:
        """The whole."""
        for equation in self.old.equations[self.forward.end :]:
            for value in equation.inputs:
                self._provide(value)
            self._write(equation)
        outputs = tuple(self.new.get(id(value), value) for value in self.old.outputs)
        return Graph(self.old.inputs, tuple(self.equations), outputs, self.old.name)

    def _provide(self, value: Value) -> None:
        """If it belongs to a segment that is done again, and that has not been yet: now."""
        segment = self.segment_of.get(self.forward.place.get(id(value), -1))
        if segment is None or segment.start in self.done or id(value) in self.kept:
            return
        self.done.add(segment.start)
        for number in self._needed(segment):
            self._write(self.old.equations[number])

    def _needed(self, segment: Segment) -> list[int]:
        """The equations of a segment that lead to what is read after the forward pass and not kept."""
        wanted = {
            id(value)
            for equation in self.old.equations[self.forward.end :]
            for value in equation.inputs
            if segment.start <= self.forward.place.get(id(value), -1) < segment.stop and id(value) not in self.kept
        }
        found = []
        for number in range(segment.stop - 1, segment.start - 1, -1):
            equation = self.old.equations[number]
            if any(id(value) in wanted for value in equation.outputs):
                found.append(number)
                wanted |= {id(value) for value in equation.inputs if id(value) not in self.kept}
        return found[::-1]

    def _write(self, equation: Equation) -> None:
        inputs = tuple(self.new.get(id(value), value) for value in equation.inputs)
        copy = Equation(equation.primitive, inputs, equation.params, equation.source)
        copy.derives = equation.derives
        self.equations.append(copy)
        made = copy.produce([value.type for value in equation.outputs], tracked=False)
        for old, new in zip(equation.outputs, made):
            if id(old) not in self.kept or self.forward.place[id(old)] >= self.forward.end:
                self.new[id(old)] = new
