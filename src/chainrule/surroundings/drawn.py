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


def state_of(found: Any) -> Any:
    """What tells whether it was drawn from; of an iterator nothing does, and who names one draws."""
    if found is random or isinstance(found, random.Random):
        return found.getstate()
    if found is sys.modules.get("numpy.random") or hasattr(found, "get_state"):
        name, words, *rest = found.get_state(legacy=True)
        return (name, words.tobytes(), *rest)
    return repr(found.bit_generator.state) if _is_numpy(found) else object()
