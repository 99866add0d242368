"""A limit on the memory of a program: what it says, and as little computed again as keeps it."""

from __future__ import annotations

from collections.abc import Callable

from ...errors import ConfigurationError
from ...ir.graph import Graph
from ...sizes import shown
from .rematerialise import Forward

PARTS = (8, 4, 16, 32)
"""Segments into which the forward pass is cut, tried in turn."""


def within(graph: Graph, limit: int, needed: Callable[[Graph], int]) -> Graph:
    """`graph`, with as few parts computed again as make it need at most so many bytes.

    needed: the bytes that a graph takes. Raises ConfigurationError where no way to cut it is enough.
    """
    least = needed(graph)
    if least <= limit:
        return graph
    for count in PARTS:
        found = _fewest(graph, count, limit, needed)
        if isinstance(found, Graph):
            return found
        least = min(least, found)
    raise ConfigurationError(
        f"this program needs {shown(least)} or more, also with inner values computed again, and memory_limit is "
        f"{shown(limit)}: take smaller batches, accumulate gradients over parts of a batch, or raise the limit"
    )


def _fewest(graph: Graph, count: int, limit: int, needed: Callable[[Graph], int]) -> Graph | int:
    """The graph with the fewest segments computed again that keeps the limit; the least that it needs where none does.

    The last segment is never one of them: what it hands on is needed at once.
    """
    forward = Forward(graph, count)
    most = len(forward.segments) - 1
    if most < 1:
        return needed(graph)
    best = forward.again(forward.segments[:most])
    if (least := needed(best)) > limit:
        return least
    low, high = 0, most  # too few, enough
    while high - low > 1:
        middle = (low + high) // 2
        tried = forward.again(forward.segments[:middle])
        if needed(tried) <= limit:
            best, high = tried, middle
        else:
            low = middle
    return best
