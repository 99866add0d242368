"""Type rules that many primitives share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from ..errors import ChainruleError, DtypeError, ShapeError
from ..ir.types import ArrayType, DType, bool_


def require_dtype(name: str, kind: ArrayType, allowed: Collection[DType]) -> None:
    """A DtypeError unless the element type is one that `name` takes."""
    if kind.dtype not in allowed:
        listed = ", ".join(dtype.name for dtype in allowed)
        raise DtypeError(f"{name} takes {listed}, but was given {kind}; cast it with astype")


def require_same(name: str, *types: ArrayType) -> None:
    """An error unless all types are equal: elementwise primitives neither broadcast nor promote."""
    first = types[0]
    for other in types[1:]:
        if other.shape != first.shape:
            raise ShapeError(f"{name} needs inputs of one shape, but was given {first} and {other}")
        if other.dtype != first.dtype:
            raise DtypeError(f"{name} needs inputs of one element type, but was given {first} and {other}")


def require_count(name: str, count: int, types: Sequence[ArrayType]) -> None:
    """An error unless there are `count` inputs."""
    if len(types) != count:
        raise ChainruleError(f"{name} takes {count} input{'s' * (count != 1)}, but was given {len(types)}")


def elementwise(name: str, allowed: Collection[DType], count: int) -> Callable[..., ArrayType]:
    """`count` inputs of one type, output of the same type."""

    def rule(*types: ArrayType) -> ArrayType:
        require_count(name, count, types)
        require_dtype(name, types[0], allowed)
        require_same(name, *types)
        return types[0]

    return rule


def predicate(name: str, allowed: Collection[DType], count: int) -> Callable[..., ArrayType]:
    """`count` inputs of one type, output bool of the same shape."""

    def rule(*types: ArrayType) -> ArrayType:
        require_count(name, count, types)
        require_dtype(name, types[0], allowed)
        require_same(name, *types)
        return types[0].with_dtype(bool_)

    return rule
