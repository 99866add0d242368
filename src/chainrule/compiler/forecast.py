"""How much memory a program needs, known before it runs for the first time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields

from ..captured import Cell, GradientCell, TensorCell
from ..errors import ConfigurationError
from ..ir.types import ArrayType
from ..tensor import Moment, Parameter

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
SIZES = {"": 1, "b": 1}
SIZES |= {f"{prefix}b": 1000**power for power, prefix in enumerate("kmgt", 1)}
SIZES |= {f"{prefix}ib": 1024**power for power, prefix in enumerate("kmgt", 1)}


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


def bytes_of(limit: int | str) -> int:
    """A number of bytes, also as text: "500 MB" (millions), "1.5 GiB" (powers of 1024).

    Raises ConfigurationError for anything else.
    """
    if isinstance(limit, int) and not isinstance(limit, bool) and limit > 0:
        return limit
    found = re.fullmatch(r"\s*([\d.]+)\s*([a-z]*)\s*", limit.lower()) if isinstance(limit, str) else None
    if found is None or not re.fullmatch(r"\d*\.?\d+", found[1]) or found[2] not in SIZES or not float(found[1]):
        raise ConfigurationError(f'a limit of memory is bytes, or text such as "500 MB" or "1.5 GiB", not {limit!r}')
    return int(float(found[1]) * SIZES[found[2]])


def shown(size: int) -> str:
    """Bytes for people: 62.5 MiB."""
    number, unit = float(size), 0
    while number >= 1024 and unit < len(UNITS) - 1:
        number, unit = number / 1024, unit + 1
    return f"{number:.0f} B" if unit == 0 else f"{number:.1f} {UNITS[unit]}"


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
