"""Are cells what they were at the last run, and does nobody look at what a program writes? Asked before each run."""

from __future__ import annotations

import operator
import weakref
from collections.abc import Sequence
from typing import Any

from ...captured import Cell
from ...references import NOBODY, counted
from ...tensor import Tensor

_contents = operator.attrgetter("_own_value")
_gradient = operator.attrgetter("_own_grad")


_watches: set[weakref.ref[Watch]] = set()
"""All that there are. Other threads add to it at any time, so it is copied before it is gone through."""
_changes = [0]
"""How often a watch came or went: those who hold cells are counted anew then."""


def _gone(watch: weakref.ref[Watch]) -> None:
    _watches.discard(watch)
    _changes[0] += 1


class Watch:
    """Cells as they stand now. tensors, gradients: owners of cells that are written; read: cells that are only read.

    What is written may be held by its tensor and by the watches of other programs, which look only while they run. All
    is held here, so that it stays in memory while a program runs, whatever other threads do.
    """

    def __init__(
        self, tensors: Sequence[Tensor], gradients: Sequence[Tensor], handles: Sequence[Tensor], read: Sequence[Cell]
    ) -> None:
        """handles: the gradients that the owners have."""
        self._tensors, self._gradients, self._read = list(tensors), list(gradients), list(read)
        values = [*map(_contents, tensors), *map(_contents, handles)]
        self._written = [*values, *(value.data for value in values)]
        self._known = [value for cell in read if (value := cell.read()) is not None]
        self._known_arrays = [value.data for value in self._known]
        self._ids = frozenset(map(id, [*self._written, *self._known, *self._known_arrays]))
        self._gradient_holders = [NOBODY + 1] * len(gradients)
        _watches.add(weakref.ref(self, _gone))
        _changes[0] += 1
        self._count_holders()

    @property
    def arrays(self) -> list[Any]:
        """The elements of all cells, those of tensors and gradients first; cells that were found empty are left out."""
        return [*self._written[len(self._written) // 2 :], *self._known_arrays]

    def _count_holders(self) -> None:
        """How many references there are to what is written as long as nobody looks: by tensors, and by watches."""
        self._counted_at = _changes[0]
        others = [watch for reference in _watches.copy() if (watch := reference()) is not None and watch is not self]
        self._holders = [NOBODY + 1 + sum(id(each) in other._ids for other in others) for each in self._written]

    def undisturbed(self) -> bool:
        """Whether every cell has the contents it had, and nobody looks at what is written."""
        for cell, known in zip(self._read, self._known):
            if cell.read() is not known:
                return False
        values = list(map(_contents, self._tensors))
        if self._gradients:
            handles = list(map(_gradient, self._gradients))
            try:
                values += map(_contents, handles)
            except AttributeError:  # one has no gradient now
                return False
            if counted(handles) != self._gradient_holders:
                return False
        if not all(map(operator.is_, values, self._written)):
            return False
        del values
        if self._counted_at != _changes[0]:
            self._count_holders()
        return counted(self._written) == self._holders
