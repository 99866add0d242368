"""What changes a tensor in place: `x[key] = value`, `x += y`, and PyTorch's methods whose names end in an underscore.

A handle gets new contents; the values behind it never change. So what was computed from the old contents keeps its
gradients, and another tensor that was made from this one (a slice, `reshape`) does not change with it.
"""

from __future__ import annotations

from typing import Any, Self

from ..ir.operand import MEANING
from ..ops.setitem import with_items
from .view import TensorView


def _unwrapped(operand: Any) -> Any:
    if isinstance(operand, tuple | list):
        return type(operand)(map(_unwrapped, operand))
    return operand._value if isinstance(operand, TensorView) else operand


class TensorChange(TensorView):
    """In-place operators and methods; a subclass says how contents are replaced."""

    __slots__ = ()

    def _replace(self, contents: Any, what: str) -> Self:
        """New contents, of the same shape and element type."""
        raise NotImplementedError

    def _change(self, name: str, other: Any, what: str) -> Self:
        return self._replace(MEANING[name](self._value, _unwrapped(other)), what)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._replace(with_items(self._value, _unwrapped(key), _unwrapped(value)), "x[key] = value")

    def __iadd__(self, other: Any) -> Self:
        return self._change("add", other, "+=")

    def __isub__(self, other: Any) -> Self:
        return self._change("subtract", other, "-=")

    def __imul__(self, other: Any) -> Self:
        return self._change("multiply", other, "*=")

    def __itruediv__(self, other: Any) -> Self:
        return self._change("divide", other, "/=")

    def __ifloordiv__(self, other: Any) -> Self:
        return self._change("floor_divide", other, "//=")

    def __imod__(self, other: Any) -> Self:
        return self._change("remainder", other, "%=")

    def __ipow__(self, other: Any) -> Self:
        return self._change("power", other, "**=")

    def __imatmul__(self, other: Any) -> Self:
        return self._change("matmul", other, "@=")

    def __iand__(self, other: Any) -> Self:
        return self._change("bitwise_and", other, "&=")

    def __ior__(self, other: Any) -> Self:
        return self._change("bitwise_or", other, "|=")

    def __ixor__(self, other: Any) -> Self:
        return self._change("bitwise_xor", other, "^=")

    def __ilshift__(self, other: Any) -> Self:
        return self._change("bitwise_left_shift", other, "<<=")

    def __irshift__(self, other: Any) -> Self:
        return self._change("bitwise_right_shift", other, ">>=")

    # -- PyTorch's names

    def add_(self, other: Any) -> Self:
        """x += other."""
        return self._change("add", other, "add_()")

    def sub_(self, other: Any) -> Self:
        """x -= other."""
        return self._change("subtract", other, "sub_()")

    def mul_(self, other: Any) -> Self:
        """x *= other."""
        return self._change("multiply", other, "mul_()")

    def div_(self, other: Any) -> Self:
        """x /= other."""
        return self._change("divide", other, "div_()")

    def copy_(self, other: Any) -> Self:
        """All elements from `other`, which is broadcast and cast."""
        return self._replace(with_items(self._value, ..., _unwrapped(other)), "copy_()")

    def fill_(self, number: Any) -> Self:
        """All elements `number`."""
        return self._replace(with_items(self._value, ..., _unwrapped(number)), "fill_()")

    def zero_(self) -> Self:
        """All elements zero."""
        return self.fill_(0)
