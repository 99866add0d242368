"""What is cheap and large is computed again where it is needed, instead of being written and read back.

`x - mean` of batch norm, for its variance, its result and its gradient; a gradient behind relu: each nest that needs
such a value computes it from what lies in memory anyway.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ...ir.graph import Equation, Value
from .nest_plan import EXPENSIVE
from .unit import Unit, is_elementwise, root_of

LARGE = 1 << 16
DEPTH = 3
MOST_MEMBERS = 64

Homes = dict[int, list[Unit]]
"""By id of an equation: the units that compute it, the one that stores it first."""


Users = Mapping[int, Sequence[Equation]]


def repeat_cheap(units: Sequence[Unit], users: Users, outputs: set[int]) -> None:
    """Add cheap members of earlier nests to later ones of the same domain that read them. outputs: ids of values."""
    _Repeating(units, users, outputs).run()


class _Repeating:
    def __init__(self, units: Sequence[Unit], users: Users, outputs: set[int]) -> None:
        self.units, self.users, self.outputs = units, users, outputs
        self.homes: Homes = {}
        for unit in units:
            for equation in unit.members:
                self.homes.setdefault(id(equation), []).append(unit)

    def run(self) -> None:
        """Extend every large nest."""
        for unit in self.units:
            if unit.is_nest and math.prod(unit.domain) >= LARGE:
                added = self._sources(unit)
                if len(added) + len(unit.members) <= MOST_MEMBERS:
                    unit.members = [*added, *unit.members]
                    for equation in added:
                        self.homes[id(equation)].append(unit)
                        unit.guests.add(id(equation))

    def _sources(self, unit: Unit) -> list[Equation]:
        """What the unit reads as it is, and could compute itself, in an order in which it can."""
        members = {id(equation) for equation in unit.members}
        views = {id(root_of(value)[0]) for each in unit.members for value in each.inputs if root_of(value)[1]}
        found: dict[int, Equation] = {}
        for equation in unit.members:
            for value in equation.inputs:
                if id(value) in self.outputs or id(value) in views or self._home(value) in (None, unit):
                    continue
                chain = self._chain(value, unit, 0)
                if chain is not None and not any(id(each) in members for each in chain):
                    found.update({id(each): each for each in chain})
        return list(found.values())

    def _home(self, value: Value) -> Unit | None:
        """The unit that stores a value that is no view."""
        if value.equation is None or value.data is not None:
            return None
        return self.homes.get(id(value.equation), [None])[0]

    def _chain(self, value: Value, unit: Unit, depth: int) -> list[Equation] | None:
        """The equations that compute a value from one large array of numbers that lies in memory anyway, at most."""
        home, equation = self._home(value), value.equation
        if home is None or equation is None or depth == DEPTH:
            return None
        if not home.is_nest or home.domain != unit.domain or id(equation) in home.rows or not _is_cheap(equation):
            return None
        chain: list[Equation] = []
        large = 0
        for operand in equation.inputs:
            if self._lies_in_memory(operand, home, unit):
                large += operand.dtype.kind != "b" and _is_large(operand)
                continue
            before = self._chain(operand, unit, depth + 1)
            if before is None:
                return None
            large += 1
            chain += before
        return [*chain, equation] if large <= 1 else None

    def _lies_in_memory(self, value: Value, home: Unit, unit: Unit) -> bool:
        """Whether a value is known data, or stored by another unit, or by `home` because somebody else reads it."""
        root, chain = root_of(value)
        if root.data is not None:
            return True
        if root.equation is None or id(root.equation) not in self.homes:
            return False  # an input may be overwritten before it is read again
        owners = self.homes[id(root.equation)]
        if unit in owners:
            return False
        return home not in owners or (not chain and self._is_read_elsewhere(root, (home, unit)))

    def _is_read_elsewhere(self, value: Value, units: Sequence[Unit]) -> bool:
        readers = [self.homes.get(id(user), [None]) for user in self.users.get(id(value), ())]
        return any(all(each is not None and each not in units for each in reader) for reader in readers)


def _is_cheap(equation: Equation) -> bool:
    if equation.primitive.name in EXPENSIVE or equation.outputs[0].dtype.kind != "f":
        return False
    return is_elementwise(equation)


def _is_large(value: Value) -> bool:
    return value.data is None and root_of(value)[0].size == value.size
