"""Are cells what they were at the last run, and does nobody look at what a program writes? Asked before each run."""

from __future__ import annotations

import operator
import sys
import weakref
from collections.abc import Sequence
from typing import Any

from ..captured import Cell
from ..tensor import Tensor

_contents = operator.attrgetter("_value")
_gradient = operator.attrgetter("_grad")
_data = operator.attrgetter("data")


def _counted(objects: list[Any]) -> list[int]:
    """References to each of the objects of a list that is their only holder but one, the one that is asked about."""
    return list(map(sys.getrefcount, objects))


def _count_of_one() -> int:
    """What `_counted` says of something that one other object holds."""
    thing = object()
    holder, asked = [thing], [thing]
    del thing
    (count,) = _counted(asked)
    del holder
    return count


ONE_HOLDER = _count_of_one()


class Watch:
    """Cells as they stand now. tensors, gradients: owners of cells that are written; read: cells that are only read."""

    def __init__(self, tensors: Sequence[Tensor], gradients: Sequence[Tensor], read: Sequence[Cell]) -> None:
        self._tensors, self._gradients, self._read = list(tensors), list(gradients), list(read)
        values = [*map(_contents, tensors), *map(_contents, map(_gradient, gradients))]
        self._known = [weakref.ref(value) for value in values]
        self._known_read = [weakref.ref(value) for cell in read if (value := cell.read()) is not None]
        self._alone = [ONE_HOLDER] * len(values)
        self._alone_gradients = [ONE_HOLDER] * len(gradients)

    def undisturbed(self) -> bool:
        """Whether every cell has the contents it had, and only its tensor holds what is written."""
        for cell, known in zip(self._read, self._known_read):
            if cell.read() is not known():
                return False
        values = list(map(_contents, self._tensors))
        if self._gradients:
            handles = list(map(_gradient, self._gradients))
            try:
                values += map(_contents, handles)
            except AttributeError:  # one has no gradient now
                return False
            if _counted(handles) != self._alone_gradients:
                return False
        if not all(map(operator.is_, values, [known() for known in self._known])):
            return False
        return _counted(values) == self._alone and _counted(list(map(_data, values))) == self._alone
