"""What runs of a program were given, so that they can be made again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ...ir.types import NumpyArray
from ...records import dataclass


@dataclass(frozen=True)
class Step:
    """One run: its arguments, and the options of its time."""

    arguments: Sequence[NumpyArray]
    numbers: Sequence[float]
    rows: NumpyArray | None = None  # which examples of the data they are


Logged = Callable[[], Iterator[Step]]
"""Makes them again, one by one."""


def logged_call(arguments: Sequence[NumpyArray], numbers: Sequence[float]) -> Logged:
    """One run."""
    return lambda: iter([Step(arguments, numbers)])


def logged_steps(arrays: Sequence[NumpyArray], order: NumpyArray, rows: int, numbers: NumpyArray) -> Logged:
    """Runs over rows of arrays. numbers: (runs, options)."""

    def steps() -> Iterator[Step]:
        for number, options in enumerate(numbers.tolist()):
            chosen = order[number * rows : (number + 1) * rows]
            yield Step([array[chosen] for array in arrays], options, chosen)

    return steps
