"""How much memory a program needs, known before it runs for the first time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from ...captured import Cell, GradientCell, TensorCell
from ...ir.types import ArrayType
from ...records import dataclass
from ...sizes import shown
from ...tensor import Moment, Parameter


@dataclass(frozen=True)
class MemoryForecast:
    """Bytes that a program needs, by what they hold.

    arguments, results: the arrays that go in and out. parameters: what is trained. moments: what optimisers keep for
    them. gradients: those that outlive the step. state: all else that it reads or writes, such as running statistics.
    activations: what is kept, once the first result is known (the loss), for what comes after it (the backward pass).
    workspace: the rest of the memory in which it computes. constants: data that are part of the program.
    """

    arguments: int
    parameters: int
    moments: int
    gradients: int
    state: int
    activations: int
    workspace: int
    constants: int
    results: int

    @property
    def total(self) -> int:
        """All of it."""
        return sum(self.sizes().values())

    def sizes(self) -> dict[str, int]:
        """Bytes by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __str__(self) -> str:
        rows = [(name, size) for name, size in self.sizes().items() if size]
        return "\n".join(f"{name:<12}{shown(size):>12}" for name, size in [*rows, ("total", self.total)])


def kind_of(cell: Cell) -> str:
    """Which part of a forecast a cell counts for."""
    if isinstance(cell, GradientCell):
        return "gradients"
    owner = cell.owner if isinstance(cell, TensorCell) else None
    if isinstance(owner, Parameter):
        return "parameters"
    return "moments" if isinstance(owner, Moment) else "state"


def bytes_by_kind(cells: Sequence[Cell], kinds: Sequence[ArrayType]) -> dict[str, int]:
    """Bytes of cells by what they are for."""
    found = dict.fromkeys(("parameters", "moments", "gradients", "state"), 0)
    for cell, kind in zip(cells, kinds):
        found[kind_of(cell)] += kind.nbytes
    return found
