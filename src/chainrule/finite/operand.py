"""What an array looks like: the figures that are told of the operands of an operation gone wrong."""

from __future__ import annotations

import numpy as np

from ..ir.types import NumpyArray
from ..records import dataclass


@dataclass(frozen=True)
class Operand:
    """An array in figures. low, high and mean are of its finite elements, NaN where there are none."""

    name: str
    kind: str
    low: float
    high: float
    mean: float
    nans: float
    infinities: float
    zeros: float

    @property
    def is_finite(self) -> bool:
        """Whether it holds neither NaN nor infinity."""
        return not self.nans and not self.infinities

    def __str__(self) -> str:
        parts = [self.name, self.kind]
        if not np.isnan(self.mean):
            figures = f"{self.low:.4g}" if self.low == self.high else f"{self.low:.4g} to {self.high:.4g}"
            parts.append(f"{figures}, mean {self.mean:.4g}" if self.low != self.high else figures)
        for share, what in ((self.nans, "NaN"), (self.infinities, "infinite"), (self.zeros, "zero")):
            if share:
                parts.append(f"{percent(share)} {what}")
        return "  ".join(parts)


def percent(share: float) -> str:
    """A share that is neither told as 0 % nor as 100 % unless it is."""
    if share == 1:
        return "all"
    return f"{max(share, 1e-6):.2%}" if share < 0.1 else f"{min(share, 0.999):.1%}"


def operand(name: str, array: NumpyArray) -> Operand:
    """The figures of an array."""
    kind = f"{array.dtype}{list(array.shape) if array.ndim else ''}"
    numbers = array.astype(np.float64)
    with np.errstate(all="ignore"):
        finite = numbers[np.isfinite(numbers)]
        low, high, mean = (finite.min(), finite.max(), finite.mean()) if finite.size else (np.nan,) * 3
        size = max(numbers.size, 1)
        shares = (np.isnan(numbers).sum() / size, np.isinf(numbers).sum() / size, (numbers == 0).sum() / size)
    return Operand(name, kind, float(low), float(high), float(mean), *map(float, shares))
