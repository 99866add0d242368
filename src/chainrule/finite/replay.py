"""Replay a step that was saved because something in it was not finite, value by value, and find the cause again."""

from __future__ import annotations

import os

from .message import told
from .store import SavedStep, load
from .trail import Trail, follow


def replay(path: str | os.PathLike[str]) -> tuple[SavedStep, Trail | None]:
    """The step in a file, and the trail found by running it in NumPy; None where all it gives is finite.

    >>> import chainrule as cr
    >>> step, trail = cr.finite.replay("step.npz")  # doctest: +SKIP
    >>> print(step.graph)  # doctest: +SKIP
    """
    step = load(path)
    return step, follow(step.graph, step.inputs, step.names, step.outputs)


def described(step: SavedStep, trail: Trail | None) -> str:
    """What is told of a replay."""
    if trail is None:
        return "Everything the step gives is finite when it is run by NumPy: native code and NumPy differ here."
    return told(trail, step.batch, step.rows)
