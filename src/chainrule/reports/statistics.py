"""What an array is like, in a few numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..ir.types import NumpyArray

MOST_SHOWN = 12
"""Arrays of so few elements are shown whole."""


@dataclass(frozen=True)
class Statistics:
    """Of the finite elements: mean, standard deviation, range, share of zeros; how many are not finite.

    elements: all of them, where they are few.
    """

    mean: float
    deviation: float
    smallest: float
    largest: float
    zeros: float
    not_finite: int
    elements: tuple[float, ...] = ()

    @classmethod
    def of(cls, array: NumpyArray) -> Statistics:
        """Computed in float64, whatever the array's element type."""
        held: NumpyArray = np.asarray(array, np.float64).ravel()
        finite = held[np.isfinite(held)]
        shown = tuple(held.tolist()) if held.size <= MOST_SHOWN else ()
        if not finite.size:
            return cls(0.0, 0.0, 0.0, 0.0, 0.0, int(held.size), shown)
        zeros = float(np.count_nonzero(finite == 0) / finite.size)
        low, high = float(finite.min()), float(finite.max())
        return cls(float(finite.mean()), float(finite.std()), low, high, zeros, int(held.size - finite.size), shown)

    def row(self) -> list[Any]:
        """For a page: the numbers in the order above; `elements` only where there are any."""
        numbers: list[Any] = [self.mean, self.deviation, self.smallest, self.largest, self.zeros, self.not_finite]
        return [*numbers, list(self.elements)] if self.elements else numbers
