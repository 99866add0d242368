"""Division of floats with a remainder, as NumPy has it."""

from __future__ import annotations

from .flow import repeat_while
from .term import Term


def _near_remainder(a: Term, b: Term) -> Term:
    """An exact a - n b of size below |b|, with either sign.

    r - trunc(r / d) d is exact in one fused step, since d divides it out to the last digit of the quotient; a quotient
    of more digits than a float has takes more rounds. d is |b|, or |b| times a power of two where r / |b| overflows.
    """
    size = b.abs()
    power = 700 if a.format.element == "double" else 100

    def step(r: Term) -> Term:
        divisor = size
        for _ in range(2):
            divisor = (r.abs() * 2.0**-power >= divisor * 4).pick(divisor * 2.0**power, divisor)
        quotient = (r / divisor).rounded("trunc")
        return (r.abs() >= size).pick((-quotient).exact_fma(divisor, r), r)

    return b.is_nan().pick(b, repeat_while(a, lambda r: r.abs() >= size, step))


def _toward(r: Term, b: Term, model: Term) -> tuple[Term, Term]:
    """(where r has not the sign of model, r + |b| or r - |b| there)."""
    wrong = r.differs(0) & ((r < 0) ^ (model < 0))
    return wrong, wrong.pick(r + b.abs().copysign(model), r)


def remainder(a: Term, b: Term) -> Term:
    """What is left of a, with the sign of b; NaN for b = 0."""
    _, rest = _toward(_near_remainder(a, b), b, b)
    return rest.equals(0).pick(rest.lift(0.0).copysign(b), rest)


def floor_divide(a: Term, b: Term) -> Term:
    """The floor of a / b: the same steps as NumPy's npy_floor_divide."""
    _, left = _toward(_near_remainder(a, b), b, a)
    quotient = (a - left) / b
    wrong = left.differs(0) & ((b < 0) ^ (left < 0))
    quotient = wrong.pick(quotient - 1, quotient)
    low = quotient.rounded("floor")
    low = (quotient - low > 0.5).pick(low + 1, low)
    exact = a / b
    whole = quotient.equals(0).pick(low.lift(0.0).copysign(exact), low)
    return b.equals(0).pick(exact, whole)
