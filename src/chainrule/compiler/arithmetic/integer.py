"""Integers as NumPy has them: n / 0 is 0, the smallest number over -1 is itself, long shifts shift everything out."""

from __future__ import annotations

from .term import Term


def _width(x: Term) -> int:
    return int(x.reg.element[1:])


def compare(condition: str, a: Term, b: Term, signed: bool) -> Term:
    """lt, le, gt, ge of integers."""
    return Term(a.f, a.f.compare(f"icmp {'s' if signed else 'u'}{condition}", a.reg, b.reg))


def _safe(a: Term, b: Term, signed: bool) -> Term:
    """The divisor, and 1 where dividing by it would trap."""
    trap = b.equals(0)
    if signed:
        trap = trap | (b.equals(-1) & a.equals(-(1 << (_width(a) - 1))))
    return trap.pick(1, b)


def _divide(operation: str, a: Term, b: Term) -> Term:
    return Term(a.f, a.f.binary(operation, a.reg, b.reg))


def floor_divide(a: Term, b: Term, signed: bool) -> Term:
    """The quotient rounded down."""
    divisor = _safe(a, b, signed)
    quotient = _divide("sdiv" if signed else "udiv", a, divisor)
    if signed:
        rest = a - quotient * divisor
        quotient = (rest.differs(0) & ((rest ^ divisor) < 0)).pick(quotient - 1, quotient)
    return b.equals(0).pick(0, quotient)


def remainder(a: Term, b: Term, signed: bool) -> Term:
    """What is left, with the sign of the divisor."""
    divisor = _safe(a, b, signed)
    rest = _divide("srem" if signed else "urem", a, divisor)
    if signed:
        rest = (rest.differs(0) & ((rest ^ divisor) < 0)).pick(rest + divisor, rest)
    return b.equals(0).pick(0, rest)


def _short(b: Term) -> tuple[Term, Term]:
    """(where the shift is shorter than the number, the shift there)."""
    short = compare("lt", b, b.lift(_width(b)), signed=False)
    return short, short.pick(b, 0)


def left_shift(a: Term, b: Term) -> Term:
    """a << b; 0 where b is not less than the width of a."""
    short, count = _short(b)
    return short.pick(a << count, 0)


def right_shift(a: Term, b: Term, signed: bool) -> Term:
    """a >> b; a copy of the sign in each bit where b is not less than the width of a."""
    short, count = _short(b)
    if not signed:
        return short.pick(a >> count, 0)
    longest = short.pick(b, _width(b) - 1)
    return Term(a.f, a.f.binary("ashr", a.reg, longest.reg))
