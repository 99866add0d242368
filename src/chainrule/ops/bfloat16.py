"""Mixed precision: the operands of products are rounded to bfloat16, their sums and all else stay float32.

bfloat16 is the upper half of a float32: the same exponents, 8 bits of precision. Nothing that float32 holds overflows
in it or vanishes, so that losses need not be scaled.

Arrays of bfloat16 are a way to keep numbers: what moves elements takes them as they are, everything else computes in
float32 and rounds its result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..ir.build import IN_FLOAT32, bind, current_trace, precision
from ..ir.graph import Value
from ..ir.primitive import Primitive, Sample, register
from ..ir.types import BFLOAT16, NumpyArray, as_dtype, float32, is_bfloat16
from .elementwise import cast
from .samples import NASTY, SHAPES, spread, with_gaps
from .type_rules import elementwise


def rounded_to_bfloat16(x: NumpyArray) -> NumpyArray:
    """Float32 numbers rounded to the nearest bfloat16, ties to even; NaN stays NaN."""
    bits = np.asarray(x, float32, order="C").view(np.uint32)
    to_nearest = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(0xFFFF0000)
    quiet = (bits & np.uint32(0x80000000)) | np.uint32(0x7FC00000)
    rounded: NumpyArray = np.where(np.isnan(x), quiet, to_nearest).view(float32)
    return rounded


def _samples() -> Iterator[Sample]:
    for shape in SHAPES:
        yield Sample((spread(shape, -2, 2).astype(float32),), smooth=False)
    yield Sample((with_gaps(spread((4, 6), -2, 2).astype(float32)).T,), smooth=False)
    ties = np.array([0x3F808000, 0x3F818000, 0x3F808001, 0x7F7FFFFF, 0xFF7F8000, 0x00018000, 0x7F800001], np.uint32)
    with np.errstate(all="ignore"):
        yield Sample((np.array(NASTY).astype(float32),), smooth=False)
    yield Sample((ties.view(float32),), smooth=False)


bfloat16_rounded: Primitive = register(
    Primitive(
        "bfloat16_rounded",
        elementwise("bfloat16_rounded", (float32,), 1),
        rounded_to_bfloat16,
        (lambda g, y, x: g,),  # as if nothing were rounded: the gradient of a weight keeps all its digits
        "bfloat16({0})",
        _samples,
    )
)

bfloat16_rounded_back: Primitive = register(
    Primitive(
        "bfloat16_rounded_back",
        elementwise("bfloat16_rounded_back", (float32,), 1),
        lambda x: x,
        (lambda g, y, x: bfloat16_rounded(g),),  # the cotangent of a product is an operand of two products
        "{0}",
        _samples,
    )
)


def rounded_product(product: Callable[..., Any], first: Value, second: Value) -> Value:
    """product(first, second), whose operands are rounded where that is wanted, and on the way back its cotangent."""
    if first.dtype != float32 or second.dtype != float32 or not rounds_products():
        plain: Value = product(first, second)
        return plain
    result: Value = bfloat16_rounded_back(product(bfloat16_rounded(first), bfloat16_rounded(second)))
    return result


def rounds_products() -> bool:
    """Whether products are taken in bfloat16. A trace remembers that this was asked."""
    trace = current_trace()
    while trace is not None:
        trace.asked_precision = True
        trace = getattr(trace, "parent", None)  # out of the body of a loop
    return precision() == BFLOAT16


def _in_float32(primitive: Primitive, inputs: tuple[Value, ...], params: dict[str, Any]) -> Any:
    """An operation on bfloat16: on the same numbers in float32, with float32 results rounded."""
    result = bind(
        primitive, *[cast(each, dtype=float32) if is_bfloat16(each.dtype) else each for each in inputs], **params
    )
    if isinstance(result, tuple):
        return tuple(_narrowed(each) for each in result)
    return _narrowed(result)


def _narrowed(value: Value) -> Value:
    narrow: Value = cast(value, dtype=as_dtype(BFLOAT16)) if value.dtype == float32 else value
    return narrow


IN_FLOAT32.append(_in_float32)
