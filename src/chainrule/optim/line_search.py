"""A line search for the strong Wolfe conditions: Nocedal and Wright, algorithms 3.5 (bracket) and 3.6 (zoom)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..ir.types import NumpyArray
from ..records import dataclass

_DECREASE, _FLATTENING = 1e-4, 0.9  # c1 and c2 of the book
_SMALLEST = 1e-9  # of the bracket, measured as the change of a parameter


@dataclass(frozen=True)
class Point:
    """A place on the line: its position, the loss and gradient there, and the slope along the line."""

    position: float
    loss: float
    gradient: NumpyArray
    slope: float


Evaluate = Callable[[float], Point]


def dot(first: NumpyArray, second: NumpyArray) -> float:
    """Inner product; a sum of products has the same bits at any number of threads, BLAS has not."""
    return float(np.sum(first * second))


def strong_wolfe(evaluate: Evaluate, start: Point, length: float, largest: float, budget: int) -> tuple[Point, int]:
    """A point where the loss is low enough and the line flat enough, and how often the loss was evaluated.

    length: the first position to try. largest: magnitude of the largest element of the direction.
    budget: after so many evaluations the best point found is good enough.
    """
    bracket, found, count = _bracket(evaluate, start, length, budget)
    if found or count > budget:
        return min(bracket, key=lambda point: point.loss), count
    return _zoom(evaluate, start, bracket, largest, budget, count)


def _decreases(point: Point, start: Point) -> bool:
    return point.loss <= start.loss + _DECREASE * point.position * start.slope


def _is_flat(point: Point, start: Point) -> bool:
    return abs(point.slope) <= -_FLATTENING * start.slope


def _bracket(evaluate: Evaluate, start: Point, length: float, budget: int) -> tuple[list[Point], bool, int]:
    """Go on until two points enclose a good one, or one is good."""
    previous, current, count = start, evaluate(length), 1
    while count <= budget:
        if not _decreases(current, start) or (count > 2 and current.loss >= previous.loss):
            return [previous, current], False, count
        if _is_flat(current, start):
            return [current], True, count
        if current.slope >= 0:
            return [previous, current], False, count
        step = current.position - previous.position
        further = cubic_minimum(previous, current, current.position + 0.01 * step, current.position * 10)
        previous, current, count = current, evaluate(further), count + 1
    return [start, current], False, count


def _zoom(
    evaluate: Evaluate, start: Point, bracket: list[Point], largest: float, budget: int, count: int
) -> tuple[Point, int]:
    """Narrow the bracket until a point in it is good."""
    low, high = sorted(bracket, key=lambda point: point.loss)
    stuck = False
    while count <= budget and abs(high.position - low.position) * largest >= _SMALLEST:
        position, stuck = _trial(low, high, stuck)
        point, count = evaluate(position), count + 1
        if not _decreases(point, start) or point.loss >= low.loss:
            low, high = sorted((low, point), key=lambda each: each.loss)
        elif _is_flat(point, start):
            return point, count
        else:
            low, high = point, low if point.slope * (high.position - low.position) >= 0 else high
    return low, count


def _trial(low: Point, high: Point, stuck: bool) -> tuple[float, bool]:
    """Where to look next in the bracket: away from its ends when the last look was already close to one."""
    first, last = sorted((low.position, high.position))
    position = cubic_minimum(low, high, first, last)
    margin = 0.1 * (last - first)
    if min(last - position, position - first) >= margin:
        return position, False
    if not stuck and first < position < last:
        return position, True
    return (last - margin if last - position < position - first else first + margin), False


def cubic_minimum(first: Point, second: Point, low: float, high: float) -> float:
    """Where the cubic through both points with their slopes is least, kept in [low, high]; else the middle."""
    if first.position > second.position:
        first, second = second, first
    width = first.position - second.position
    bend = first.slope + second.slope - 3 * (first.loss - second.loss) / width if width else math.nan
    square = bend * bend - first.slope * second.slope
    if not (math.isfinite(square) and square >= 0):
        return (low + high) / 2
    root = math.sqrt(square)
    divisor = second.slope - first.slope + 2 * root
    if divisor == 0:
        return (low + high) / 2
    minimum = second.position + width * ((second.slope + root - bend) / divisor)
    return min(max(minimum, low), high)
