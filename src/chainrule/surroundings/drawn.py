"""How far something is that gives another answer each time: iterators, and random numbers of Python and of NumPy."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from typing import Any


def everywhere() -> list[tuple[str, Any]]:
    """(what it is called, it): the generators that no name in the code leads to."""
    found: list[tuple[str, Any]] = [("the state of Python's random numbers (cr.random has its own)", random)]
    if numpy := sys.modules.get("numpy.random"):
        found.append(("the state of NumPy's random numbers (cr.random has its own)", numpy))
    return found


def is_drawn_from(found: Any) -> bool:
    """Whether it is a generator of random numbers, or an iterator of Python itself: others are looked into."""
    if isinstance(found, Iterator):
        return type(found).__module__ in ("builtins", "itertools")
    return isinstance(found, random.Random) or _is_numpy(found)


def _is_numpy(found: Any) -> bool:
    numpy = sys.modules.get("numpy.random")
    return numpy is not None and isinstance(found, numpy.Generator | numpy.RandomState)


class Position:
    """How far something was that is drawn from."""

    def __init__(self, found: Any) -> None:
        self._found, self._then = found, _state(found)

    @property
    def can_be_put_back(self) -> bool:
        """Not that of an iterator: what it has handed out is gone, nor does it tell whether it was asked."""
        return self._then is not None

    @property
    def hold(self) -> bool:
        """Whether nothing was drawn since. Of an iterator nothing tells: who names one draws."""
        return self._then is not None and repr(_state(self._found)) == repr(self._then)

    def put_back(self) -> None:
        """Go back to where it was."""
        found, then = self._found, self._then
        if then is None:
            return
        if found is random or isinstance(found, random.Random):
            found.setstate(then)
        elif hasattr(found, "set_state"):
            found.set_state((then[0], list(then[1]), *then[2:]))
        else:
            found.bit_generator.state = then


def _state(found: Any) -> Any:
    """What tells whether it was drawn from, and takes it back to there; None where nothing does."""
    if isinstance(found, random.SystemRandom):
        return None
    if found is random or isinstance(found, random.Random):
        return found.getstate()
    if found is sys.modules.get("numpy.random") or hasattr(found, "get_state"):
        name, words, *rest = found.get_state(legacy=True)
        return (name, words.tolist(), *rest)
    return found.bit_generator.state if _is_numpy(found) else None
