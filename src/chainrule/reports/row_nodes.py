"""What passes between the quadrature of all rows together and that of rows one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .credit_record import Floats


@dataclass(frozen=True, eq=False)
class CommonNodes:
    """The quadrature of all rows together: places of its nodes (n,), their weights (n,), and what it left over."""

    places: Floats
    weights: Floats
    residual: float


@dataclass(frozen=True, eq=False)
class Correction:
    """gradients: to be added to the mean gradients along the path, (G, N). slopes: the sums they mean, (G,).

    residual: what all rows leave over now. evaluations: gradients of single rows.
    """

    gradients: Floats
    slopes: Floats
    residual: float
    evaluations: float


class RowPath(Protocol):
    """A path on which rows can be integrated one by one. count: how many there are."""

    @property
    def count(self) -> int: ...

    def correct(
        self, common: CommonNodes, losses: tuple[float, float], allowed: float, budget: float
    ) -> Correction | None:
        """losses: of all rows at both ends. budget: gradients of all rows at most. None where it can't be done."""
