"""Derivatives by central differences, extrapolated to a step of zero: what gradients are checked against."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

_LEVELS = 12
_SURE = 1e-10  # relative: differences in float64 can't do better, so no further level is tried
_PLAUSIBLE, _PATIENCE = 1e-3, 3  # a fair estimate that got no better for so long meets only rounding from there on


class Estimate(NamedTuple):
    """A derivative and how far it may be off."""

    value: float
    error: float


def derivative(function: Callable[[float], float], step: float) -> Estimate:
    """The derivative at 0 of a function of one number, from its values at ± step, ± step / 2, ...

    Each halving gives one more row of Richardson's table; the entry that its neighbours contradict least is taken
    (Ridders 1982). Steps that leave the domain, where the function is not finite, are passed over: if all do, NaN.
    """
    best, row, since = Estimate(math.nan, math.inf), list[float](), 0
    for level in range(_LEVELS):
        length = step / 2**level
        difference = (function(length) - function(-length)) / (2 * length)
        if not math.isfinite(difference):
            row = []
            continue
        before = best
        row, best = _extrapolated(row, difference, best)
        since = 0 if best is not before else since + 1
        relative = best.error / max(1.0, abs(best.value))
        if relative <= _SURE or (relative <= _PLAUSIBLE and since >= _PATIENCE):
            return best
    return best


def _extrapolated(before: list[float], difference: float, best: Estimate) -> tuple[list[float], Estimate]:
    """The next row of the table, and the best entry so far: its error is its distance to the two it came from."""
    row = [difference]
    for column, older in enumerate(before):
        newer = row[-1]
        entry = newer + (newer - older) / (4.0 ** (column + 1) - 1)
        error = max(abs(entry - newer), abs(entry - older))
        best = Estimate(entry, error) if error < best.error else best
        row.append(entry)
    return row, best


def slopes(function: Callable[[float], float], step: float) -> tuple[float, float]:
    """The slopes to the left and to the right of 0: they differ at a kink."""
    here = function(0.0)
    return (here - function(-step)) / step, (function(step) - here) / step
