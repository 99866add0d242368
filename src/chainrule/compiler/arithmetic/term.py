"""Arithmetic on registers written as arithmetic: what the elementwise functions are made of.

A Term is a register of the function that is being written. Numbers are lifted to constants of the Term's type, so that
`x * 0.5 + 1` reads as it does on paper; each operator appends one instruction.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from ...records import dataclass
from ..text.emit import Function, Reg, const, number_of

Number = int | float


@dataclass(frozen=True, slots=True)
class Format:
    """The layout of a floating point type, and the constants that follow from it."""

    element: str
    integer: str
    mantissa: int
    bias: int

    @property
    def magic(self) -> float:
        """1.5 * 2^mantissa: adding it to a small number rounds that to an integer, in the low bits of the sum."""
        return 1.5 * 2.0**self.mantissa

    @property
    def tiny(self) -> float:
        """The smallest normal number."""
        return 2.0 ** (1 - self.bias)

    @property
    def epsilon(self) -> float:
        """The distance from 1 to the next larger number."""
        return 2.0**-self.mantissa

    def bits(self, number: float) -> int:
        """The bits of a number as an integer."""
        if self.element == "float":
            return int(struct.unpack("<I", struct.pack("<f", number))[0])
        return int(struct.unpack("<Q", struct.pack("<d", number))[0])


FLOAT, DOUBLE = Format("float", "i32", 23, 127), Format("double", "i64", 52, 1023)


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """A register with operators. Comparisons of floats are ordered: false where one side is NaN."""

    f: Function
    reg: Reg

    @property
    def is_float(self) -> bool:
        """Whether its lanes are floating point numbers."""
        return self.reg.element in ("float", "double")

    @property
    def number(self) -> float | None:
        """The number in all its lanes, where the program knows it."""
        return number_of(self.reg)

    @property
    def format(self) -> Format:
        """The layout of its floating point type."""
        return FLOAT if self.reg.element == "float" else DOUBLE

    def lift(self, value: Term | Number) -> Term:
        """A number as a constant of this type."""
        return value if isinstance(value, Term) else Term(self.f, const(self.reg.type, value))

    def _operate(self, operation: str, other: Term | Number, swapped: bool = False) -> Term:
        left, right = (self.lift(other), self) if swapped else (self, self.lift(other))
        prefix = "f" if self.is_float else ""
        return Term(self.f, self.f.binary(prefix + operation, left.reg, right.reg))

    def __add__(self, other: Term | Number) -> Term:
        return self._operate("add", other)

    def __radd__(self, other: Number) -> Term:
        return self._operate("add", other, swapped=True)

    def __sub__(self, other: Term | Number) -> Term:
        return self._operate("sub", other)

    def __rsub__(self, other: Number) -> Term:
        return self._operate("sub", other, swapped=True)

    def __mul__(self, other: Term | Number) -> Term:
        return self._operate("mul", other)

    def __rmul__(self, other: Number) -> Term:
        return self._operate("mul", other, swapped=True)

    def __truediv__(self, other: Term | Number) -> Term:
        return self._operate("div", other)

    def __rtruediv__(self, other: Number) -> Term:
        return self._operate("div", other, swapped=True)

    def __neg__(self) -> Term:
        return Term(self.f, self.f.negate(self.reg)) if self.is_float else 0 - self

    def __and__(self, other: Term | Number) -> Term:
        return self._operate("and", other)

    def __or__(self, other: Term | Number) -> Term:
        return self._operate("or", other)

    def __xor__(self, other: Term | Number) -> Term:
        return self._operate("xor", other)

    def __invert__(self) -> Term:
        return self ^ (1 if self.reg.element == "i1" else -1)

    def __lshift__(self, other: Term | Number) -> Term:
        return self._operate("shl", other)

    def __rshift__(self, other: Term | Number) -> Term:
        """Zeros come in from the left."""
        return self._operate("lshr", other)

    def _compare(self, condition: str, other: Term | Number) -> Term:
        text = f"fcmp {condition}" if self.is_float else f"icmp {condition}"
        return Term(self.f, self.f.compare(text, self.reg, self.lift(other).reg))

    def __lt__(self, other: Term | Number) -> Term:
        return self._compare("olt" if self.is_float else "slt", other)

    def __le__(self, other: Term | Number) -> Term:
        return self._compare("ole" if self.is_float else "sle", other)

    def __gt__(self, other: Term | Number) -> Term:
        return self._compare("ogt" if self.is_float else "sgt", other)

    def __ge__(self, other: Term | Number) -> Term:
        return self._compare("oge" if self.is_float else "sge", other)

    def equals(self, other: Term | Number) -> Term:
        """Lanes that are equal."""
        return self._compare("oeq" if self.is_float else "eq", other)

    def differs(self, other: Term | Number) -> Term:
        """Lanes that are not equal; NaN differs from everything."""
        return self._compare("une" if self.is_float else "ne", other)

    def is_nan(self) -> Term:
        """Lanes that are NaN."""
        return self._compare("uno", self)

    def pick(self, yes: Term | Number, no: Term | Number) -> Term:
        """yes where this mask holds, else no. One of them is a Term."""
        model = yes if isinstance(yes, Term) else no
        assert isinstance(model, Term)
        return Term(self.f, self.f.select(self.reg, model.lift(yes).reg, model.lift(no).reg))

    def fma(self, factor: Term | Number, addend: Term | Number) -> Term:
        """self * factor + addend in one rounding (where the machine can)."""
        return Term(self.f, self.f.fma(self.reg, self.lift(factor).reg, self.lift(addend).reg))

    def exact_fma(self, factor: Term | Number, addend: Term | Number) -> Term:
        """self * factor + addend in one rounding on every machine: for errors of products.

        Without an instruction for it float32 goes through float64, where the product is exact; float64 calls the
        library, lane by lane.
        """
        if self.f.module.has_fma or self.reg.element == "double":
            return self._intrinsic("fma", factor, addend)
        wide = [self.lift(each).widen() for each in (self, factor, addend)]
        return (wide[0] * wide[1] + wide[2]).narrow()

    def _intrinsic(self, name: str, *others: Term | Number) -> Term:
        return Term(self.f, self.f.intrinsic(name, self.reg, *(self.lift(other).reg for other in others)))

    def sqrt(self) -> Term:
        """Correctly rounded square root."""
        return self._intrinsic("sqrt")

    def abs(self) -> Term:
        """Without its sign."""
        return self._intrinsic("fabs")

    def copysign(self, sign: Term) -> Term:
        """Its size with the sign bit of `sign`."""
        return self._intrinsic("copysign", sign)

    def rounded(self, how: str) -> Term:
        """`floor`, `ceil`, `trunc` or `roundeven`."""
        return self._intrinsic(how)

    def at_least(self, low: float) -> Term:
        """The larger of the two; NaN stays NaN (the order of the comparison matters)."""
        return (self < low).pick(low, self)

    def at_most(self, high: float) -> Term:
        """The smaller of the two; NaN stays NaN."""
        return (self > high).pick(high, self)

    def bits(self) -> Term:
        """The bits of a float as an integer."""
        return Term(self.f, self.f.convert("bitcast", self.reg, self.format.integer))

    def as_float(self) -> Term:
        """An integer of 32 or 64 bits taken for the bits of a float."""
        element = "float" if self.reg.element == "i32" else "double"
        return Term(self.f, self.f.convert("bitcast", self.reg, element))

    @property
    def has_scaling(self) -> bool:
        """Whether the machine can multiply by powers of two."""
        return self.f.module.has_scaling

    def scaled(self, n: Term) -> Term:
        """self * 2^n for whole n, rounded once, where `has_scaling`."""
        return Term(self.f, self.f.scaled(self.reg, n.reg))

    def inverse(self) -> Term:
        """1 / self for numbers of moderate size (neither the inverse nor a remainder of it may leave the normal range).

        With AVX-512 float32 takes an estimate and one step of Newton's method: 0.57 units in the last place.
        """
        if not (self.f.module.has_scaling and self.reg.element == "float"):
            return 1 / self
        estimate = Term(self.f, self.f.about_inverse(self.reg))
        return (-self).fma(estimate, 1.0).fma(estimate, estimate)

    def times_inverse(self, divisor: Term) -> Term:
        """self / divisor with 1 / divisor shared by all who divide by it; numbers of moderate size."""
        if not (self.f.module.has_scaling and self.reg.element == "float"):
            return self * (1 / divisor)
        estimate = Term(self.f, self.f.about_inverse(divisor.reg))
        quotient = self * estimate
        return quotient.fma((-divisor).fma(estimate, 1.0), quotient)

    def over(self, divisor: Term) -> Term:
        """self / divisor, where the divisor and the quotient are of moderate size."""
        if not (self.f.module.has_scaling and self.reg.element == "float"):
            return self / divisor
        inverse = divisor.inverse()
        quotient = self * inverse
        excess = quotient.fma(divisor, -self)  # this way round -0 stays -0
        return (-excess).fma(inverse, quotient)

    def widen(self) -> Term:
        """float to double."""
        return Term(self.f, self.f.convert("fpext", self.reg, "double"))

    def narrow(self) -> Term:
        """double to float, rounded to nearest."""
        return Term(self.f, self.f.convert("fptrunc", self.reg, "float"))


def polynomial(x: Term, coefficients: Sequence[float]) -> Term:
    """c0 + c1 x + c2 x² + ... by Horner's rule."""
    total = x.lift(coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = total.fma(x, coefficient)
    return total


def polynomial_in_halves(x: Term, coefficients: Sequence[float]) -> Term:
    """The same as (c0 + c2 x² + ...) + (c1 + c3 x² + ...) x: one step more, of which only half wait for one another."""
    square = x * x
    return polynomial(square, coefficients[1::2]).fma(x, polynomial(square, coefficients[0::2]))
