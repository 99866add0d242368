"""The syntax of operators on operands. It gives them no meaning: ops/operators.py does, in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

MEANING: dict[str, Callable[..., Any]] = {}
"""Name of an operator -> its function; filled by ops/operators.py."""


def _is_no_array(other: Any) -> bool:
    """What an array can be asked to equal without being one: `x == None`, and `x in [None, "name"]`."""
    return other is None or isinstance(other, str | bytes | type)


class Operand:
    """Anything that can stand beside + * @ []: a Value of the IR or the user's Tensor."""

    __slots__ = ()
    __array_priority__ = 1000  # NumPy leaves `array + operand` to the operand
    __array_ufunc__: Any = None

    def _operator(self, name: str, *operands: Any) -> Self:
        result: Self = MEANING[name](*operands)
        return result

    def __add__(self, other: Any) -> Self:
        return self._operator("add", self, other)

    def __radd__(self, other: Any) -> Self:
        return self._operator("add", other, self)

    def __sub__(self, other: Any) -> Self:
        return self._operator("subtract", self, other)

    def __rsub__(self, other: Any) -> Self:
        return self._operator("subtract", other, self)

    def __mul__(self, other: Any) -> Self:
        return self._operator("multiply", self, other)

    def __rmul__(self, other: Any) -> Self:
        return self._operator("multiply", other, self)

    def __truediv__(self, other: Any) -> Self:
        return self._operator("divide", self, other)

    def __rtruediv__(self, other: Any) -> Self:
        return self._operator("divide", other, self)

    def __floordiv__(self, other: Any) -> Self:
        return self._operator("floor_divide", self, other)

    def __rfloordiv__(self, other: Any) -> Self:
        return self._operator("floor_divide", other, self)

    def __mod__(self, other: Any) -> Self:
        return self._operator("remainder", self, other)

    def __rmod__(self, other: Any) -> Self:
        return self._operator("remainder", other, self)

    def __pow__(self, other: Any) -> Self:
        return self._operator("power", self, other)

    def __rpow__(self, other: Any) -> Self:
        return self._operator("power", other, self)

    def __matmul__(self, other: Any) -> Self:
        return self._operator("matmul", self, other)

    def __rmatmul__(self, other: Any) -> Self:
        return self._operator("matmul", other, self)

    def __neg__(self) -> Self:
        return self._operator("negative", self)

    def __pos__(self) -> Self:
        return self

    def __abs__(self) -> Self:
        return self._operator("abs", self)

    def __invert__(self) -> Self:
        return self._operator("bitwise_invert", self)

    def __and__(self, other: Any) -> Self:
        return self._operator("bitwise_and", self, other)

    def __rand__(self, other: Any) -> Self:
        return self._operator("bitwise_and", other, self)

    def __or__(self, other: Any) -> Self:
        return self._operator("bitwise_or", self, other)

    def __ror__(self, other: Any) -> Self:
        return self._operator("bitwise_or", other, self)

    def __xor__(self, other: Any) -> Self:
        return self._operator("bitwise_xor", self, other)

    def __rxor__(self, other: Any) -> Self:
        return self._operator("bitwise_xor", other, self)

    def __lshift__(self, other: Any) -> Self:
        return self._operator("bitwise_left_shift", self, other)

    def __rshift__(self, other: Any) -> Self:
        return self._operator("bitwise_right_shift", self, other)

    def __lt__(self, other: Any) -> Self:
        return self._operator("less", self, other)

    def __le__(self, other: Any) -> Self:
        return self._operator("less_equal", self, other)

    def __gt__(self, other: Any) -> Self:
        return self._operator("greater", self, other)

    def __ge__(self, other: Any) -> Self:
        return self._operator("greater_equal", self, other)

    def __eq__(self, other: Any) -> Self:  # type: ignore[override]
        if _is_no_array(other):
            return NotImplemented  # Python then says False
        return self._operator("equal", self, other)

    def __ne__(self, other: Any) -> Self:  # type: ignore[override]
        if _is_no_array(other):
            return NotImplemented
        return self._operator("not_equal", self, other)

    def __getitem__(self, key: Any) -> Self:
        return self._operator("getitem", self, key)

    __hash__ = object.__hash__
