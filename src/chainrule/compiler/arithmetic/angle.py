"""Angles modulo a quarter turn, for every float64.

Below 2^28 the quarter turns are taken off with pi/2 in three parts and fused multiply-adds (Cody and Waite). Above it
the product with 2/pi is taken with as many bits of 2/pi as matter (Payne and Hanek), one lane after the other: a
192-bit window of 2/pi whose first bit is worth 4 quarter turns or less.
"""

from __future__ import annotations

import math
from itertools import pairwise

from ..text.emit import Function, Module, Reg, word
from .flow import if_any
from .term import DOUBLE, Term

HALF_PI = (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33)
LARGE = 2.0**28
# The first 1344 bits of 2/pi.
TWO_OVER_PI = (
    "a2f9836e4e441529fc2757d1f534ddc0db6295993c439041fe5163abdebbc561b7246e3a424dd2e006492eea09d1921cfe1deb1cb129a73e"
    "e88235f52ebb4484e99c7026b45f7e413991d639835339f49c845f8bbdf9283b1ff897ffde05980fef2f118b5a0a6d1f6d367ecf27cb09b7"
    "4f463f669e5fea2d7527bac7ebe5f17b3d0739f78a5292ea6bfb5fb11f8d5d0856033046fc7b6babf0cfbc209af4361da9e391615ee61b08"
)
_NAME = "reduce_large_angle"


def reduce_angle(x: Term) -> tuple[Term, Term, Term]:
    """(n, high, low) with x = n pi/2 + high + low; only n mod 4 is right for large x. n is a whole float64."""
    magic = x.format.magic
    n = x.fma(1 / HALF_PI[0], magic) - magic
    first = (-n).exact_fma(HALF_PI[0], x)
    product = n * HALF_PI[1]
    lost = n.exact_fma(HALF_PI[1], -product)
    second = first - product
    back = second - first
    error = (first - (second - back)) - (product + back)
    low = (-n).fma(HALF_PI[2], error - lost)
    high = second + low
    usual = (n, high, (second - high) + low)
    large = x.abs() >= LARGE
    joined = if_any(large, lambda: [large.pick(new, old) for new, old in zip(_reduce_lanes(x), usual)], usual)
    return joined[0], joined[1], joined[2]


def _reduce_lanes(x: Term) -> tuple[Term, Term, Term]:
    """reduce_angle of large x: a call for each lane. Infinity gives NaN."""
    f, lanes = x.f, x.reg.lanes
    _define(f.module, f.attributes)
    parts = [Reg(x.reg.type, "poison")] * 3
    for lane in range(max(lanes, 1)):
        found = f.call(_NAME, f.extract(x.reg, lane) if lanes else x.reg, result="<4 x double>")
        assert found is not None
        for place in range(3):
            part = f.extract(found, place)
            parts[place] = f.emit(x.reg.type, f"insertelement {parts[place]}, {part}, i64 {lane}") if lanes else part
    n, high, low = (Term(f, part) for part in parts)
    return n, high + (x - x), low


def _define(module: Module, attributes: str) -> None:
    """Add the function for one large number to the module, once."""
    mark = f"; {_NAME}"
    if mark in module.declarations:
        return
    module.declare(mark, "")
    module.declarations[mark] = f"{mark} is defined above"
    x = Reg("double", "%x")
    f = Function(module, _NAME, [x], attributes, result="<4 x double>")
    parts = _reduce_one(Term(f, x))
    result = Reg("<4 x double>", "zeroinitializer")
    for place, part in enumerate(parts):
        result = f.emit(result.type, f"insertelement {result}, {part.reg}, i64 {place}")
    f.finish(result)


def _reduce_one(x: Term) -> tuple[Term, Term, Term]:
    size = x.abs()
    bits = size.bits()
    exponent = bits >> DOUBLE.mantissa
    whole = (bits & ((1 << 52) - 1)) | (1 << 52)
    skipped = Term(x.f, x.f.maximum((exponent - (DOUBLE.bias + 22)).reg, word(0)))
    top, middle = _turns(whole, _window(skipped))
    n = _as_double((top + (1 << 61)) >> 62)
    high, low = _fraction(_shifted(top, middle, 2), middle << 2)
    return n * x.lift(1.0).copysign(x), high * x.lift(1.0).copysign(x), low * x.lift(1.0).copysign(x)


def _window(skipped: Term) -> list[Term]:
    """192 bits of 2/pi after as many bits as are skipped; the table starts with 32 zeros.

    The table is a vector, not a global: without position independent code LLVM gives an index into a global an address
    of 32 bits, which loaded code does not have.
    """
    f = skipped.f
    bits = "00000000" + TWO_OVER_PI
    words = [int(bits[place : place + 16].ljust(16, "0"), 16) for place in range(0, len(bits), 16)]
    table = f"<{len(words)} x i64> <{', '.join(f'i64 {word}' for word in words)}>"
    first = skipped >> 6
    terms = [Term(f, f.emit("i64", f"extractelement {table}, {(first + place).reg}")) for place in range(4)]
    return [_shifted(a, b, skipped & 63) for a, b in pairwise(terms)]


def _shifted(a: Term, b: Term, count: Term | int) -> Term:
    """The upper half of (a, b) << count."""
    return Term(a.f, a.f.intrinsic("fshl", a.reg, b.reg, a.lift(count).reg))


def _turns(whole: Term, window: list[Term]) -> tuple[Term, Term]:
    """The upper 128 of the lower 192 bits of whole * window, in two words."""

    def wide(value: Term) -> Term:
        return Term(value.f, value.f.convert("zext", value.reg, "i128"))

    def cut(value: Term) -> Term:
        return Term(value.f, value.f.convert("trunc", value.reg, "i64"))

    carry = (wide(whole) * wide(window[2])) >> 64
    middle = wide(whole) * wide(window[1]) + carry
    return whole * window[0] + cut(middle >> 64), cut(middle)


def _as_double(value: Term) -> Term:
    return Term(value.f, value.f.convert("sitofp", value.reg, "double"))


def _fraction(top: Term, bottom: Term) -> tuple[Term, Term]:
    """The signed 128-bit fraction (top, bottom) of a quarter turn in radians: the first 53 bits, then 63 more."""
    first = _as_double(top & -(1 << 11)) * 2.0**-64
    second = _as_double(((top & 0x7FF) << 52) | (bottom >> 12)) * 2.0**-116
    high = first * HALF_PI[0]
    low = first.exact_fma(HALF_PI[0], -high) + first.fma(HALF_PI[1], second * HALF_PI[0])
    total = high + low
    return total, (high - total) + low


assert math.isclose(int(TWO_OVER_PI[:16], 16) / 2**64, 2 / math.pi)
