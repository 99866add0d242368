"""Padding layers on (batch, channels, *sizes), or the same without a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ShapeError
from ..tensor import asarray
from . import functional
from .module import Module


class _Pad(Module):
    """padding: one width for all ends, or pairs (before, after) from the last axis backwards."""

    rank: int
    mode = "constant"

    def __init__(self, padding: int | Sequence[int], value: float = 0.0) -> None:
        super().__init__()
        widths = (padding,) * (2 * self.rank) if isinstance(padding, int) else tuple(padding)
        if len(widths) != 2 * self.rank:
            raise ShapeError(f"{type(self).__name__} takes one width or {2 * self.rank}, but was given {padding}")
        self.padding, self.value = widths, value

    def forward(self, x: Any) -> Any:
        x = asarray(x)
        if x.ndim not in (self.rank + 1, self.rank + 2):
            raise ShapeError(f"{self!r} takes {self.rank + 1} or {self.rank + 2} axes, but was given {x.shape}")
        return functional.pad(x, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _Constant(_Pad):
    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding, value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class _Zero(_Pad):
    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__(padding)


class ConstantPad1d(_Constant):
    """One number around the length."""

    rank = 1


class ConstantPad2d(_Constant):
    """One number around height and width."""

    rank = 2


class ConstantPad3d(_Constant):
    """One number around depth, height and width."""

    rank = 3


class ZeroPad1d(_Zero):
    """Zeros around the length."""

    rank = 1


class ZeroPad2d(_Zero):
    """Zeros around height and width.

    >>> import chainrule as cr
    >>> ZeroPad2d((1, 0, 2, 0))(cr.ones((1, 1, 2, 2))).shape
    (1, 1, 4, 3)
    """

    rank = 2


class ZeroPad3d(_Zero):
    """Zeros around depth, height and width."""

    rank = 3


class ReflectionPad1d(_Zero):
    """The inside mirrored at the ends of the length, without the ends."""

    rank, mode = 1, "reflect"


class ReflectionPad2d(_Zero):
    """The inside mirrored at the edges, without the edges."""

    rank, mode = 2, "reflect"


class ReflectionPad3d(_Zero):
    """The inside mirrored at the faces, without the faces."""

    rank, mode = 3, "reflect"


class ReplicationPad1d(_Zero):
    """The ends repeated."""

    rank, mode = 1, "replicate"


class ReplicationPad2d(_Zero):
    """The edges repeated."""

    rank, mode = 2, "replicate"


class ReplicationPad3d(_Zero):
    """The faces repeated."""

    rank, mode = 3, "replicate"


class CircularPad1d(_Zero):
    """Going on round the end of the length."""

    rank, mode = 1, "circular"


class CircularPad2d(_Zero):
    """Going on round the edges."""

    rank, mode = 2, "circular"


class CircularPad3d(_Zero):
    """Going on round the faces."""

    rank, mode = 3, "circular"
