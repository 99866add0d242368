"""What a capture finds: cells and numbers that programs read anew at each run, and guards of what else they rest on."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, Protocol

from . import tree
from .captured_module import CHANGES, ModuleGuard
from .ir.graph import Graph, Value
from .ir.types import ArrayType, NumpyArray
from .records import dataclass
from .surroundings.places import Places
from .tensor import Tensor, wrap

LOOKED_AT = (
    "{what} needs the elements of a {kind}, which change from run to run while the function is traced only once. "
    "For a choice between arrays use cr.where(condition, x, y), for a choice between computations cr.cond, for loops "
    "cr.scan or cr.while_loop; to look at values, take @cr.compile away"
)
ARGUMENT_CHANGED = (
    "a compiled function can't change an argument in place: the caller's array would not change. Write x = x + y "
    "for a new tensor and return it, or let the function find the tensor outside: such tensors are updated in place"
)


class Cell(Protocol):
    """A place outside the function that holds an array."""

    @property
    def owner(self) -> Tensor: ...

    def read(self) -> Value | None: ...

    def write(self, array: NumpyArray) -> None: ...


@dataclass(frozen=True, eq=False)
class TensorCell:
    """The contents of a tensor."""

    owner: Tensor

    def read(self) -> Value:
        """Its contents now."""
        return self.owner._own_value

    def write(self, array: NumpyArray) -> None:
        """Give it new contents."""
        self.owner._own_value = self.owner._content(array, self.owner._own_value.tracked)


@dataclass(frozen=True, eq=False)
class GradientCell:
    """The gradient that a tensor has collected."""

    owner: Tensor

    def read(self) -> Value | None:
        """The gradient now, if there is one."""
        gradient = self.owner._own_grad  # another thread may clear it at any time
        return None if gradient is None else gradient._own_value

    def write(self, array: NumpyArray) -> None:
        """Give it a new one."""
        self.owner._own_grad = wrap(Value(ArrayType(array.shape, array.dtype), array))


@dataclass(frozen=True)
class Number:
    """An option that is read anew at each run, as float64: `container[key]`, or one of several numbers in it."""

    container: dict[str, Any]
    key: str
    index: int | None = None

    def read(self) -> float:
        """Its value now."""
        option = self.container[self.key]
        return float(option if self.index is None else option[self.index])


@dataclass(frozen=True, eq=False)
class Guard:
    """What the function looked at while it was traced: `where.key` or `where[key]`, and what it was then.

    presence: it only matters whether there was something or None.
    """

    name: str
    where: Any
    key: str
    then: Any
    presence: bool = False

    @property
    def holds(self) -> bool:
        """Whether it is still what it was."""
        now = self.where.get(self.key) if isinstance(self.where, dict) else getattr(self.where, self.key)
        if self.presence:
            return (now is not None) is self.then
        return now is self.then or (not isinstance(now, Value) and bool(now == self.then))


class Guards:
    """All guards of a program, asked at each call: sorted, so that asking costs little."""

    def __init__(self, every: Sequence[Guard | ModuleGuard], places: Places, changed: Sequence[str]) -> None:
        """places: what the code reads outside itself. changed: names of those that the function itself changes."""
        self.every, self.places = tuple(every), places
        broken = (guard.name for guard in every if not guard.holds)
        self.changed = tuple(dict.fromkeys((*changed, *broken)))  # which only a trace does: it fits no other call
        self._seen = -1  # of the changes to modules, when they were asked last
        self._modules = [guard for guard in every if isinstance(guard, ModuleGuard)]
        guards = [guard for guard in every if isinstance(guard, Guard)]
        options = [guard for guard in guards if isinstance(guard.where, dict)]
        modes = [guard for guard in guards if guard.key == "training" and guard not in options]
        tracked = [guard for guard in guards if guard.key == "requires_grad"]
        self._tensors = [guard.where for guard in tracked]
        self._tracked_then = [guard.then for guard in tracked]
        self._options = [(guard.where, guard.key) for guard in options]
        self._options_then = [guard.then for guard in options]
        self._modes = [guard.where for guard in modes]
        self._modes_then = [guard.then for guard in modes]
        constants = [guard for guard in guards if guard.key == "_own_value"]
        self._constants = [guard.where for guard in constants]
        self._constants_then = [guard.then for guard in constants]
        known = {id(guard) for guard in (*options, *modes, *tracked, *constants)}
        self._others = [guard for guard in guards if id(guard) not in known]

    @property
    def hold(self) -> bool:
        """Whether everything is as it was."""
        return (
            not self.changed
            and list(map(_training, self._modes)) == self._modes_then
            and list(map(_tracked, self._tensors)) == self._tracked_then
            and [where.get(key) for where, key in self._options] == self._options_then
            and (not self._constants or all(map(operator.is_, map(_contents, self._constants), self._constants_then)))
            and all(guard.holds for guard in self._others)
            and (self._seen == CHANGES[0] or self._modules_hold())
            and self.places.hold
        )

    def _modules_hold(self) -> bool:
        seen = CHANGES[0]
        if not all(guard.holds for guard in self._modules):
            return False
        self._seen = seen
        return True

    @property
    def broken(self) -> list[str]:
        """What is no longer as it was."""
        return [*self.changed, *(guard.name for guard in self.every if not guard.holds), *self.places.broken]


_training = operator.attrgetter("training")
_tracked = operator.attrgetter("_own_value.tracked")
_contents = operator.attrgetter("_own_value")


@dataclass(frozen=True)
class Captured:
    """A function as a graph.

    Inputs of the graph: the arrays among the arguments, then `cells`, then `numbers`. Outputs: the arrays of the
    result, then the new contents of `written`. cleared: tensors whose gradient the function forgets.
    """

    graph: Graph
    argument_count: int
    cells: tuple[Cell, ...]
    numbers: tuple[Number, ...]
    result_structure: tree.Structure
    result_count: int
    written: tuple[Cell, ...]
    cleared: tuple[Tensor, ...]
    guards: Guards
