"""Values that must be known: where a shape depends on elements, a traced program can't have it."""

from __future__ import annotations

from typing import Any

from ..errors import TraceError
from ..ir.build import adopted
from ..ir.types import NumpyArray
from .operators import lift


def known(x: Any, what: str) -> NumpyArray:
    """The elements of `x`; a TraceError where they are not known while a program is traced."""
    value = lift(x)
    if value.data is None or adopted(value).data is None:
        raise TraceError(
            f"{what} has a shape that depends on the elements, which are not known while a program is traced or "
            "compiled; call it outside, or use cr.where, cr.sort or a cumulative sum, whose shapes are fixed"
        )
    return value.data
