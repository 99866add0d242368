"""What optimisers and modules tell a capture, if one is under way: their options, and whether they train."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from .capturing import Capture
from .ir.build import current_trace


def live(group: dict[str, Any], moving: Collection[str], options: Collection[str]) -> dict[str, Any]:
    """An optimiser's group, of the `options` given; in a capture those that move are inputs, the others are guarded."""
    capture = current_trace()
    if not isinstance(capture, Capture):
        return group
    found = dict(group)
    for key, option in group.items():
        if key in moving and isinstance(option, float | int):
            found[key] = capture.number(group, key)
        elif key in moving and isinstance(option, tuple):
            found[key] = tuple(capture.number(group, key, index) for index in range(len(option)))
        elif key in options:
            capture.option(group, key)
    return found


def note_module(module: Any, modules: type) -> None:
    """In a capture: the trace is made for a module as it is, in its mode. modules: the class of all modules."""
    trace = _capture()
    if trace is not None:
        trace.mode(module)
        trace.parts(module, modules)


def note_listed(module: Any, modules: type) -> None:
    """In a capture: the trace rests on what a module is made of."""
    trace = _capture()
    if trace is not None:
        trace.listed(module, modules)


def _capture() -> Capture | None:
    trace: Any = current_trace()
    while trace is not None and not isinstance(trace, Capture):
        trace = getattr(trace, "parent", None)  # out of the body of a loop
    return trace
