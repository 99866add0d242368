"""Types, registers and literals of LLVM IR."""

from __future__ import annotations

import math
import re
import struct
from functools import cache
from typing import Any

import numpy as np

from ...ir.types import DType
from ...records import dataclass

ELEMENT = {"f4": "float", "f8": "double", "b1": "i1"}
WORD = "i64"


def element_type(dtype: DType) -> str:
    """The LLVM type of one element in a register."""
    code = f"{dtype.kind}{dtype.itemsize}"
    return ELEMENT.get(code) or f"i{8 * dtype.itemsize}"


def memory_type(dtype: DType) -> str:
    """The LLVM type of one element in memory: a bool takes a byte."""
    return "i8" if dtype.kind == "b" else element_type(dtype)


def vector_of(element: str, lanes: int) -> str:
    """`lanes` elements in one register; 0 lanes is a scalar."""
    return f"<{lanes} x {element}>" if lanes else element


@cache
def element_of(type: str) -> str:
    """The element type of a vector type, or the scalar type itself."""
    return type.rstrip(">").split(" x ")[1] if type.startswith("<") else type


@cache
def lanes_of(type: str) -> int:
    """How many lanes a vector type has; 0 for a scalar."""
    return int(type[1:].split(" ")[0]) if type.startswith("<") else 0


@dataclass(frozen=True, slots=True)
class Reg:
    """An SSA value or a literal."""

    type: str
    name: str

    def __str__(self) -> str:
        return f"{self.type} {self.name}"

    @property
    def element(self) -> str:
        """The type of one lane."""
        return element_of(self.type)

    @property
    def lanes(self) -> int:
        """How many lanes; 0 for a scalar."""
        return lanes_of(self.type)


def _rounded(number: Any) -> float:
    """The nearest number of float32."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", number))[0])
    except OverflowError:
        return math.copysign(math.inf, number)


def _literal(element: str, number: Any) -> str:
    if element == "float":
        number = _rounded(number)
    if element in ("float", "double"):
        return f"0x{struct.unpack('<Q', struct.pack('<d', float(number)))[0]:016X}"
    if getattr(number, "dtype", None) is not None and number.dtype.kind == "V":  # bfloat16: its bits
        return str(int(np.asarray(number).view(np.int16)))
    if element == "i1":
        return "true" if number else "false"
    return str(int(number))


def const(type: str, number: Any) -> Reg:
    """A literal; for a vector type the same number in every lane."""
    element = element_of(type)
    literal = _literal(element, number)
    return Reg(type, f"splat ({element} {literal})" if lanes_of(type) else literal)


def number_of(value: Reg) -> float | None:
    """The number that a literal float, or a vector of one, stands for; None for a register."""
    found = re.fullmatch(r"(?:splat \((?:float|double) )?0x([0-9A-F]{16})\)?", value.name)
    return struct.unpack("<d", struct.pack("<Q", int(found[1], 16)))[0] if found else None


def word(number: int) -> Reg:
    """A literal i64."""
    return Reg(WORD, str(number))


def is_literal(value: Reg) -> bool:
    """Whether an i64 is known while the program is emitted."""
    return not value.name.startswith("%")


def short_name(element: str) -> str:
    """An element type as the names of intrinsics have it."""
    return {"float": "f32", "double": "f64", "ptr": "p0"}.get(element, element)


def bytes_of(element: str) -> int:
    """Bytes of one element in memory."""
    return {"float": 4, "double": 8, "ptr": 8, "i1": 1}.get(element) or int(element[1:]) // 8
