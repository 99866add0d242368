"""What a trace did to what lies outside: left for others to look at, or read again by the next call."""

from __future__ import annotations

from collections.abc import Callable, Collection
from enum import Enum, auto
from typing import Any

import numpy as np

from .. import tree
from ..tensor import Tensor


class Left(Enum):
    """What the function left in a place that it reads."""

    SHOWN = auto()  # something that it made: for others to look at
    STATE = auto()  # what was there before, or plain: the next call reads it, so it can't be this program again
    REPLACED = auto()  # a tensor that it made in place of one that it read


def left(then: Any, found: Any, has_read: Callable[[Tensor], bool], made: Collection[int]) -> Left:
    """What stands in a place now, and what did before the trace. made: ids of the tensors that the trace made."""
    before, now = tree.leaves(then), tree.leaves(found)
    old, new = set(map(id, before)), set(map(id, now))
    if any(isinstance(each, Tensor) and id(each) in made for each in now):
        lost = [each for each in before if isinstance(each, Tensor) and id(each) not in new]
        return Left.REPLACED if any(map(has_read, lost)) else Left.SHOWN
    known = all(id(each) in old or isinstance(each, Tensor) or is_plain(each) for each in now)
    return Left.STATE if known else Left.SHOWN


def is_plain(found: Any) -> bool:
    """Whether it is known by its value."""
    return isinstance(found, bool | int | float | complex | str | bytes | np.ndarray | np.generic)


def has_grown(then: tuple[Any, ...], container: Any) -> bool:
    """Whether a container only got more than its `contents` of then: whoever reads these finds the same ones."""
    if isinstance(container, dict):
        keys, values = then[1 : then[0] + 1], then[then[0] + 1 :]
        return all(key in container and container[key] is value for key, value in zip(keys, values))
    if isinstance(container, set | frozenset):
        return container.issuperset(then[1:])
    return len(container) >= then[0] and all(now is before for now, before in zip(container, then[1:]))
