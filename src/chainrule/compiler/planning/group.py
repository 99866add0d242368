"""Which equations share a loop nest: a partition of the graph into units, each of which becomes one kernel.

A nest runs over a domain. Its full members have the shape of the domain; if it reduces some axes of it, the reductions
and what follows from them alone are row members, of the shape of what is left. So softmax, layer norm, batch norm,
cross-entropy and the update of a parameter are one nest each.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence

from ...ir.graph import Equation, Graph, Value
from .place import is_view
from .unit import (
    Unit,
    full_operand,
    is_elementwise,
    is_reduction,
    reduced_axes,
    root_of,
    row_operand,
    squeezed,
)

MOST_MEMBERS = 48
SERIAL_LIMIT = 1 << 15  # a nest over more elements wants something left to divide among threads


class Grouping:
    """The partition as it grows: equations join the nest of a producer where that makes no circle."""

    def __init__(self, graph: Graph) -> None:
        self.units: list[Unit] = []
        self.unit_of: dict[int, int] = {}  # id of equation -> number of its unit
        self.before: list[int] = []  # for each unit a set (bits) of the units it waits for, directly or not
        self.position = {id(equation): place for place, equation in enumerate(graph.equations)}
        for equation in graph.equations:
            if not is_view(equation):
                self._place(equation)

    # -- one equation

    def _place(self, equation: Equation) -> None:
        inputs = [root_of(value) for value in equation.inputs]
        producers = {
            self.unit_of[id(root.equation)]
            for root, _ in inputs
            if root.equation is not None and id(root.equation) in self.unit_of
        }
        if is_elementwise(equation) or is_reduction(equation):
            for candidate in sorted(producers, reverse=True):
                if self._fits(equation, inputs, candidate) and self._makes_no_circle(candidate, producers):
                    self._join(equation, candidate, producers)
                    for other in sorted(producers - {candidate}, reverse=True):
                        self._absorb(candidate, other, inputs)
                    return
        self._found(equation, producers)

    def _found(self, equation: Equation, producers: set[int]) -> None:
        unit = Unit([equation])
        if is_elementwise(equation) and equation.outputs[0].size:
            unit.is_nest, unit.domain = True, equation.outputs[0].shape
        elif is_reduction(equation) and equation.inputs[0].size and equation.outputs[0].size:
            unit.is_nest, unit.domain = True, equation.inputs[0].shape
            unit.axes = reduced_axes(equation)
            unit.rows.add(id(equation))
        self.unit_of[id(equation)] = len(self.units)
        self.units.append(unit)
        self.before.append(self._closure(producers))

    def _closure(self, producers: Iterable[int]) -> int:
        bits = 0
        for number in producers:
            bits |= self.before[number] | 1 << number
        return bits

    def _makes_no_circle(self, candidate: int, producers: set[int]) -> bool:
        return not any(self.before[number] >> candidate & 1 for number in producers if number != candidate)

    def _join(self, equation: Equation, number: int, producers: set[int]) -> None:
        unit = self.units[number]
        if is_reduction(equation):
            unit.axes = reduced_axes(equation)
            unit.rows.add(id(equation))
        elif equation.outputs[0].shape != unit.domain:
            unit.rows.add(id(equation))
        unit.members.append(equation)
        self.unit_of[id(equation)] = number
        self._wait(number, self._closure(producers - {number}))

    def _wait(self, number: int, others: int) -> None:
        new = others & ~self.before[number]
        if not new:
            return
        self.before[number] |= new
        for other, bits in enumerate(self.before):
            if bits >> number & 1:
                self.before[other] = bits | new

    def _absorb(self, number: int, other: int, inputs: Sequence[tuple[Value, list[Equation]]]) -> None:
        """Make one nest of two that meet in an equation, where they go over the same elements and no circle arises."""
        unit, producer = self.units[number], self.units[other]
        if not producer.is_nest or producer.domain != unit.domain or producer.rows:
            return
        if len(unit.members) + len(producer.members) > MOST_MEMBERS:
            return
        if self._lies_between(number, other) or self._lies_between(other, number):
            return
        if not self._all_meet(unit, other):
            return
        for equation in producer.members:
            self.unit_of[id(equation)] = number
        unit.members = sorted([*unit.members, *producer.members], key=lambda each: self.position[id(each)])
        producer.members, producer.is_nest = [], False
        bit = 1 << other
        self._wait(number, self.before[other] & ~(1 << number))
        for each, bits in enumerate(self.before):
            if bits & bit:
                bits = bits & ~bit
                self.before[each] = bits if each == number else bits | 1 << number | self.before[number]
        self.before[other] = 0

    def _lies_between(self, first: int, last: int) -> bool:
        """Whether some third unit waits for `first` while `last` waits for it."""
        bits = self.before[last] & ~(1 << first)
        while bits:
            low = bits & -bits
            if self.before[low.bit_length() - 1] >> first & 1:
                return True
            bits ^= low
        return False

    def _all_meet(self, unit: Unit, other: int) -> bool:
        """Whether members of `unit` see those of the other nest element by element."""
        for equation in unit.members:
            for value in equation.inputs:
                root, chain = root_of(value)
                if root.equation is None or self.unit_of.get(id(root.equation)) != other:
                    continue
                if id(equation) in unit.rows and not is_reduction(equation):
                    return False
                if not full_operand(self.units[other], root, chain):
                    return False
        return True

    # -- does it fit?

    def _fits(self, equation: Equation, inputs: Sequence[tuple[Value, list[Equation]]], number: int) -> bool:
        unit = self.units[number]
        if not unit.is_nest or len(unit.members) >= MOST_MEMBERS:
            return False
        inside = [
            (root, chain)
            for root, chain in inputs
            if root.equation is not None and self.unit_of.get(id(root.equation)) == number
        ]
        if is_reduction(equation):
            return self._reduction_fits(equation, unit, inside)
        shape = equation.outputs[0].shape
        if shape == unit.domain:
            return all(full_operand(unit, root, chain) for root, chain in inside)
        if unit.axes is None or squeezed(shape) != squeezed(unit.row_shape):
            return False
        return all(row_operand(unit, root, chain, shape) for root, chain in inside)

    def _reduction_fits(self, equation: Equation, unit: Unit, inside: Sequence[tuple[Value, list[Equation]]]) -> bool:
        axes = reduced_axes(equation)
        if equation.inputs[0].shape != unit.domain or equation.outputs[0].size == 0:
            return False
        if unit.axes is not None and unit.axes != axes:
            return False
        kept = math.prod(unit.domain[axis] for axis in range(len(unit.domain)) if axis not in axes)
        if unit.axes is None and kept < 8 and math.prod(unit.domain) > SERIAL_LIMIT:
            return False
        return all(full_operand(unit, root, chain) and id(root.equation) not in unit.rows for root, chain in inside)

    # -- afterwards

    def wait_for(self, unit: int, others: Iterable[int]) -> bool:
        """Let `unit` run after `others` too; False where that would make a circle."""
        wanted = [other for other in others if other != unit]
        if any(self.before[other] >> unit & 1 for other in wanted):
            return False
        self._wait(unit, self._closure(wanted))
        return True

    def ordered(self) -> list[Unit]:
        """The units in an order in which they can run, near to that of the equations.

        A nest that can go on with a product comes right behind it, where it may become a part of its kernel.
        """
        return [unit for unit in self._sorted() if unit.members]

    def _sorted(self) -> list[Unit]:
        followers = self._followers()
        keys = [self._key(number) for number in range(len(self.units))]
        for number in reversed(self._in_order(followers, keys)):  # what others wait for comes before them
            keys[number] = min([keys[number], *(keys[each] for each in followers[number])])
        return [self.units[number] for number in self._in_order(followers, keys)]

    def _followers(self) -> list[list[int]]:
        """For each unit those that wait for it; left out where it follows from others."""
        followers: list[list[int]] = [[] for _ in self.units]
        for number, bits in enumerate(self.before):
            while bits:  # of those before, enough that all others come before one of them
                latest = bits.bit_length() - 1
                followers[latest].append(number)
                bits &= ~(self.before[latest] | 1 << latest)
        return followers

    def _key(self, number: int) -> int:
        """Where its work is in the graph: what follows from its reductions (updates of parameters) may come later."""
        unit = self.units[number]
        main = [each for each in unit.members if id(each) not in unit.rows or is_reduction(each)] or unit.members
        return self.position[id(main[-1])] if main else 0

    def _in_order(self, followers: Sequence[Sequence[int]], keys: Sequence[int]) -> list[int]:
        """Numbers of units, each behind those that it waits for, and otherwise by their keys."""
        waiting = [0] * len(followers)
        for each in followers:
            for follower in each:
                waiting[follower] += 1
        ready = [(keys[number], number) for number, count in enumerate(waiting) if count == 0]
        heapq.heapify(ready)
        result = []
        while ready:
            _, number = heapq.heappop(ready)
            result.append(number)
            for follower in followers[number]:
                waiting[follower] -= 1
                if waiting[follower] == 0:
                    at_once = self.units[follower].is_nest and _is_product(self.units[number])
                    heapq.heappush(ready, (keys[number if at_once else follower], follower))
        return result


def _is_product(unit: Unit) -> bool:
    return bool(unit.members) and unit.members[0].primitive.name in ("matmul", "triangle_product")
