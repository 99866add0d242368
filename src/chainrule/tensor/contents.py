"""What a tensor holds, as each thread sees it.

A trace gives tensors values that are not computed yet. They are kept here, with the thread that traces: it reads what
its trace wrote, and all others go on reading the elements that are there. A trace has nothing to put back at its end.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..ir.graph import Value

if TYPE_CHECKING:
    from . import Tensor


class Content(Value):
    """The contents of a cell: a value that knows its handle, so that gradients find their way to `.grad`."""

    __slots__ = ("owner",)

    owner: weakref.ref[Tensor]

    @property
    def is_leaf(self) -> bool:
        """Always: what computed the new contents of a cell in a capture is not what gradients are asked for."""
        return True


class _Apart:
    """What tensors hold in one thread alone. By their ids; the tensors are kept too, so that no id is used twice."""

    def __init__(self, around: _Apart | None = None) -> None:
        self.contents: dict[int, tuple[Holder, Value]] = {} if around is None else dict(around.contents)
        self.gradients: dict[int, tuple[Holder, Any]] = {} if around is None else dict(around.gradients)
        self.made: set[int] = set() if around is None else around.made
        self.read: dict[int, tuple[Holder, Value]] = {} if around is None else around.read  # that are no cells


class _Thread(threading.local):
    def __init__(self) -> None:
        self.apart: _Apart | None = None


_thread = _Thread()
APART: list[_Apart] = []
"""Of all threads: as long as it is empty, tensors are read without asking which thread this is."""


@contextmanager
def apart() -> Iterator[None]:
    """What this thread puts into tensors inside the block only it sees, and it is forgotten at the end.

    What it reads of a cell stays as it was at the first time, whatever other threads assign meanwhile.
    """
    before = _thread.apart
    _thread.apart = here = _Apart(before)
    APART.append(here)
    try:
        yield
    finally:
        APART.remove(here)
        _thread.apart = before


def note_made(holder: Holder) -> None:
    """A tensor is made, perhaps in a block."""
    if _thread.apart is not None:
        _thread.apart.made.add(id(holder))


def made_here() -> set[int]:
    """Ids of the tensors that were made in the block, those that are gone too."""
    return set() if _thread.apart is None else _thread.apart.made


def kept_here() -> list[int]:
    """Ids of the tensors that the block keeps: once for each reference to them."""
    here = _thread.apart
    return [] if here is None else [*here.contents, *here.gradients, *here.read]


def read_here() -> list[tuple[Holder, Value]]:
    """Tensors from outside the block that hold what an operation gave and are no cells yet, and what was read there."""
    return [] if _thread.apart is None else list(_thread.apart.read.values())


class Holder:
    """Has contents and a gradient: `_own_value` and `_own_grad` for all threads, `_value` and `_grad` for this one."""

    __slots__ = ("__weakref__", "_own_grad", "_own_value")

    _own_value: Value
    _own_grad: Tensor | None

    @property
    def _value(self) -> Value:
        return _contents(self) if APART else self._own_value

    @_value.setter
    def _value(self, value: Value) -> None:
        here = _thread.apart if APART else None
        if here is None:
            self._own_value = value
        else:
            here.contents[id(self)] = (self, value)

    @property
    def _grad(self) -> Tensor | None:
        here = _thread.apart if APART else None
        known = None if here is None else here.gradients.get(id(self))
        return self._own_grad if known is None else known[1]

    @_grad.setter
    def _grad(self, gradient: Tensor | None) -> None:
        here = _thread.apart if APART else None
        if here is None:
            self._own_grad = gradient
        else:
            here.gradients[id(self)] = (self, gradient)

    def _settle(self, value: Value) -> None:
        """Known contents, at once and for every thread."""
        self._own_value = value
        if APART and _thread.apart is not None:
            _thread.apart.contents.pop(id(self), None)


def _contents(holder: Holder) -> Value:
    here = _thread.apart
    if here is None:
        return holder._own_value
    known = here.contents.get(id(holder))
    if known is not None:
        return known[1]
    value = holder._own_value
    if value.data is not None:
        if type(value) is Content:
            here.contents[id(holder)] = (holder, value)
        elif id(holder) not in here.made:
            here.read.setdefault(id(holder), (holder, value))
    return value
