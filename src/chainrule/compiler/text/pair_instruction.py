"""Pairs of bfloat16 multiplied, both products added to a float32: an instruction, or what it means in several.

The instructions take numbers below the normal range for zero, and round once or twice on the way, each in its own way.
"""

from __future__ import annotations

from .instructions import Instructions
from .register import Reg, const, vector_of

WHOLE = {"avx512": (4, 8, 16), "neon": (4,)}
"""Lanes of the vectors that there is an instruction for."""
UPPER = -(1 << 16)


def multiply_add(f: Instructions, paired: bool, a: Reg, b: Reg, total: Reg) -> Reg:
    """total + a·b. paired: each lane of a and b is two numbers of bfloat16, and both products are added."""
    return _pairs_added(f, a, b, total) if paired else f.fma(a, b, total)


def _pairs_added(f: Instructions, a: Reg, b: Reg, total: Reg) -> Reg:
    """total + (lower of a · lower of b) + (upper of a · upper of b), lane by lane; a and b are the bits of float32."""
    whole = WHOLE.get(f.module.bfloat16)
    if whole is None:
        return _in_steps(f, a, b, total)
    lanes = next(width for width in whole if total.lanes <= width)
    a, b, wide = (f.resized(each, lanes) for each in (a, b, total))
    pairs = vector_of("bfloat", 2 * lanes)
    if f.module.bfloat16 == "avx512":
        name = f"@llvm.x86.avx512bf16.dpbf16ps.{32 * lanes}"
    else:
        name = "@llvm.aarch64.neon.bfdot.v4f32.v8bf16"
    f.module.declare(name, f"{wide.type} {name}({wide.type}, {pairs}, {pairs})")
    left, right = (f.emit(pairs, f"bitcast {each} to {pairs}") for each in (a, b))
    return f.resized(f.emit(wide.type, f"call {wide.type} {name}({wide}, {left}, {right})"), total.lanes)


def _in_steps(f: Instructions, a: Reg, b: Reg, total: Reg) -> Reg:
    words = [f.convert("bitcast", each, "i32") for each in (a, b)]
    shift, mask = const(words[0].type, 16), const(words[0].type, UPPER)
    for operation, number in (("shl", shift), ("and", mask)):
        left, right = (f.convert("bitcast", f.binary(operation, each, number), "float") for each in words)
        total = f.fma(left, right, total)
    return total
