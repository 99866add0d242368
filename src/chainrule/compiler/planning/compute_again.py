"""What one nest computes and another reads much later is computed again there, where that needs less memory.

A training step keeps what the backward pass reads. Of the values of a nest that later nests read, only as many are
kept as all of them follow from by elementwise equations: the cheapest set that separates them from what the nest reads
(a minimum cut, by bytes; what lies in memory anyway costs nothing). The equations between become guests of the later
nests, which compute them again: the same numbers, to the bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from ...ir.graph import Equation, Graph, Value
from .group import Grouping
from .minimum_cut import minimum_cut
from .nest_plan import EXPENSIVE
from .unit import Unit, is_reduction, root_of

LARGE = 1 << 18
"""Bytes from which on a value is worth it: smaller ones stay in the cache."""
MOST_DEAR = 4
"""The most expensive operations (exp and the like) that are done again for the values of one nest."""
LONG = 8
"""Kernels from which on a life is long: for shorter ones it takes two arrays to make up for an expensive operation."""
QUICK = frozenset({"divide", "sqrt"})


def compute_again(grouping: Grouping, graph: Graph) -> None:
    """Give nests guests, and drop members that nobody needs any more."""
    order = grouping.ordered()
    if any(equation.outputs[0].type.nbytes >= LARGE for unit in order for equation in unit.members):
        _ComputeAgain(grouping, graph, order).run()
        drop_unused(order, graph)


def read_outside(units: Iterable[Unit], graph: Graph) -> set[int]:
    """Ids of the values that must lie in memory: outputs, and what some unit reads that it does not compute itself."""
    found = {id(root_of(value)[0]) for value in graph.outputs}
    for unit in units:
        own = {id(value) for equation in unit.members for value in equation.outputs}
        for equation in unit.members:
            found.update(id(root) for root, _ in map(root_of, equation.inputs) if id(root) not in own)
    return found


class _ComputeAgain:
    def __init__(self, grouping: Grouping, graph: Graph, order: list[Unit]) -> None:
        self.order = order
        self.time = {id(unit): place for place, unit in enumerate(order)}
        self.home = {id(value): unit for unit in order for equation in unit.members for value in equation.outputs}
        self.kept: dict[int, float] = {id(root_of(value)[0]): math.inf for value in graph.outputs}
        self.wanted: dict[
            int, dict[int, tuple[Value, list[Unit]]]
        ] = {}  # unit -> its values that may be computed again
        for unit in order:
            self._note_reads(unit)

    def _note_reads(self, unit: Unit) -> None:
        """For each value that a unit reads: either it must lie in memory until then, or the unit may compute it."""
        for equation in unit.members:
            for value in equation.inputs:
                root, chain = root_of(value)
                maker = self.home.get(id(root))
                if maker is None or maker is unit:
                    continue
                if chain or not unit.is_nest or root.shape != unit.domain or not _may_be_repeated(maker, root):
                    self._keep(root, self.time[id(unit)])
                    continue
                _, readers = self.wanted.setdefault(id(maker), {}).setdefault(id(root), (root, []))
                if unit not in readers:
                    readers.append(unit)

    def _keep(self, value: Value, until: float) -> None:
        self.kept[id(value)] = max(self.kept.get(id(value), -1), until)

    def run(self) -> None:
        """Nest by nest, in the order in which they run."""
        for unit in self.order:
            wanted = self.wanted.get(id(unit))
            if wanted:
                self._decide(unit, list(wanted.values()))

    def _decide(self, unit: Unit, wanted: list[tuple[Value, list[Unit]]]) -> None:
        until = max(self.time[id(reader)] for _, readers in wanted for reader in readers)
        sources = _Sources(unit)
        for value, _ in wanted:
            sources.follow(value)
        costs = {key: self._bytes(value, until) for key, value in sources.values.items()}
        cut = minimum_cut(costs, sources.inputs, [id(value) for value, _ in wanted])
        before, after = sum(costs[id(value)] for value, _ in wanted), sum(costs[key] for key in cut)
        guests = {id(value): sources.between(value, cut) for value, _ in wanted}
        repeated = {id(equation): equation for each in guests.values() for equation in each}
        dear = sum(e.primitive.name in EXPENSIVE - QUICK for e in repeated.values())
        soon = until - self.time[id(unit)] < LONG and before - after < 2 * max(v.type.nbytes for v, _ in wanted)
        if after >= before or dear > MOST_DEAR or (dear and soon):
            cut = {id(value) for value, _ in wanted}
        else:
            for value, readers in wanted:
                for reader in readers:
                    _invite(reader, guests[id(value)])
        for key in cut:
            self._keep(sources.values[key], until)

    def _bytes(self, value: Value, until: float) -> int:
        """What it costs to have a value in memory until then: nothing if it is there anyway."""
        there = value.equation is None or self.kept.get(id(value), -1) >= until
        return 0 if there else value.type.nbytes


def _may_be_repeated(unit: Unit, value: Value) -> bool:
    equation = value.equation
    if equation is None or not unit.is_nest or value.type.nbytes < LARGE:
        return False
    return id(equation) not in unit.rows and not is_reduction(equation)


class _Sources:
    """What values of a nest follow from: a graph of values, and the inputs of those that the nest computes."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.own = {id(e.outputs[0]): e for e in unit.members if id(e) not in unit.rows and not is_reduction(e)}
        self.values: dict[int, Value] = {}
        self.inputs: dict[int, list[int]] = {}

    def follow(self, value: Value) -> None:
        """Note a value and all that it follows from."""
        if id(value) in self.values:
            return
        self.values[id(value)] = value
        equation = self.own.get(id(value))
        if equation is None:
            return
        found = self.inputs[id(value)] = []
        for operand in equation.inputs:
            root, chain = root_of(operand)
            if root.data is None:
                found.append(id(root))
                if chain and id(root) in self.own:
                    self.own.pop(id(root))  # through a view it is read from memory
                self.follow(root)

    def between(self, value: Value, cut: set[int]) -> list[Equation]:
        """The equations that lead from the values of the cut to this one, in order."""
        needed: set[int] = set()
        waiting = [id(value)]
        while waiting:
            key = waiting.pop()
            if key not in cut and key in self.inputs and key not in needed:
                needed.add(key)
                waiting += self.inputs[key]
        return [equation for equation in self.unit.members if id(equation.outputs[0]) in needed]


def _invite(unit: Unit, equations: list[Equation]) -> None:
    new = [equation for equation in equations if not any(equation is member for member in unit.members)]
    unit.guests |= {id(equation) for equation in new}
    unit.members = sorted([*new, *unit.members], key=lambda each: each.order)


def drop_unused(units: list[Unit], graph: Graph) -> None:
    """Members of nests whose values nobody reads any more leave; a later unit first, as it may be the last reader."""
    needed = {id(root_of(value)[0]) for value in graph.outputs}
    for unit in reversed(units):
        if not unit.is_nest:
            needed.update(id(root_of(value)[0]) for equation in unit.members for value in equation.inputs)
            continue
        inside: set[int] = set()
        kept = []
        for equation in reversed(unit.members):
            value = id(equation.outputs[0])
            if value in inside or (value in needed and id(equation) not in unit.guests):
                kept.append(equation)
                inside.update(id(root_of(operand)[0]) for operand in equation.inputs)
        unit.members = kept[::-1]
        needed |= inside - {id(equation.outputs[0]) for equation in kept}
