"""The gamma function's logarithm and its derivatives on registers: `ops.gamma_series` in their arithmetic, float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...ops import gamma_series as series
from . import log as math_log
from . import trig as math_trig
from .term import Term, polynomial


class _Registers:
    """The arithmetic of registers."""

    log, log1p, sin, tan = map(staticmethod, (math_log.log, math_log.log1p, math_trig.sin, math_trig.tan))

    @staticmethod
    def abs(x: Term) -> Term:
        return x.abs()

    @staticmethod
    def nearest(x: Term) -> Term:
        return x.rounded("rint")

    @staticmethod
    def is_number(x: Term, number: float) -> Term:
        return x.equals(number)

    @staticmethod
    def pick(mask: Term, yes: Any, no: Any) -> Term:
        return mask.pick(yes, no)

    @staticmethod
    def polynomial(x: Term, coefficients: Sequence[float]) -> Term:
        return polynomial(x, coefficients)


def log_gamma(x: Term) -> Term:
    """log |Γ(x)|."""
    result: Term = series.log_gamma(x, _Registers())
    return result


def polygamma(x: Term, order: int) -> Term:
    """The derivative of log |Γ(x)| of order + 1."""
    result: Term = series.polygamma(x, order, _Registers())
    return result
