"""Float32 numbers rounded to bfloat16, the upper half of their bits."""

from __future__ import annotations

from .term import Term

UPPER, SIGN, QUIET = -(1 << 16), -(1 << 31), 0x7FC00000


def rounded(x: Term) -> Term:
    """The nearest bfloat16, ties to even; NaN stays NaN."""
    return rounded_bits(x).as_float()


def rounded_bits(x: Term) -> Term:
    """Its bits, the lower half zero. Not by the processor's instruction, which would make the smallest numbers 0."""
    bits = x.bits()
    nearest = (bits + ((bits >> 16) & 1) + 0x7FFF) & UPPER
    return x.is_nan().pick((bits & SIGN) | QUIET, nearest)


def upper(x: Term) -> Term:
    """The rounded number as 16 bits, as it lies in memory."""
    bits = rounded_bits(x) >> 16
    return Term(x.f, x.f.convert("trunc", bits.reg, "i16"))


def widened(bits: Term) -> Term:
    """16 bits of memory as a float32."""
    return (Term(bits.f, bits.f.convert("zext", bits.reg, "i32")) << 16).as_float()
