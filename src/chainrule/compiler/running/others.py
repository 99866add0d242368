"""Whether other programs have written what a program reads or writes since it ran last."""

from __future__ import annotations

import weakref
from typing import Protocol

from .cells import CellMemory, key_of


class Program(Protocol):
    """What has cells, and the number of its last run among those of all programs."""

    cells: CellMemory
    run_number: int


_programs: set[weakref.ref[Program]] = set()
"""All that there are. Other threads add to it at any time, so it is copied before it is gone through."""
_made = [0]
"""How many there have ever been."""
_last_lost = [0]
"""The number of the last run when a program was last given up: whether it was one of ours can't be told any more."""
RUNS = [0]
"""How many runs there have been, of all programs."""


def note(program: Program) -> None:
    """A new program."""
    _programs.add(weakref.ref(program, _lost))
    _made[0] += 1


def _lost(program: weakref.ref[Program]) -> None:
    _programs.discard(program)
    _last_lost[0] = RUNS[0]


class Others:
    """Those that write cells of one program."""

    def __init__(self, program: Program) -> None:
        self._self = weakref.ref(program)
        self._cells = {key_of(cell) for cell in program.cells.cells}
        self._found: list[weakref.ref[Program]] = []
        self._known = 0  # of how many that were made

    def ran_since(self, run: int) -> bool:
        """Whether one ran after the run of this number; so too where one may have, that is gone now."""
        if self._known != _made[0]:
            self._known = _made[0]
            self._found = [each for each in _programs.copy() if each != self._self and self._writes(each())]
        return _last_lost[0] > run or any(program.run_number > run for each in self._found if (program := each()))

    def _writes(self, program: Program | None) -> bool:
        if program is None:
            return False
        cells = zip(program.cells.cells, program.cells.is_written)
        return any(written and key_of(cell) in self._cells for cell, written in cells)
