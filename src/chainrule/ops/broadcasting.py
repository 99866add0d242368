"""broadcast_to and sum: each is the other's derivative. And what all primitives share that reduce axes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ir.primitive import Primitive, Sample, register
from ..ir.types import COMPLEX, DTYPES, NUMBERS, ArrayType, DType, Shape, normalize_axis
from .samples import fixed, of_dtype, spread
from .structure import reshape
from .type_rules import require_dtype

# -- broadcast_to


def _broadcast_to_type(kind: ArrayType, *, shape: Shape) -> ArrayType:
    padded = (1,) * (len(shape) - kind.ndim) + kind.shape
    fits = len(padded) == len(shape) and all(have in (1, want) for have, want in zip(padded, shape))
    if not fits or min(shape, default=0) < 0:
        raise ShapeError(f"broadcast_to: {kind} can't be broadcast to {shape}; sizes must be equal or 1")
    return kind.with_shape(shape)


def _broadcast_to_rule(g: Any, y: Any, x: Any, *, shape: Shape) -> Any:
    extra = len(shape) - x.ndim
    stretched = [axis + extra for axis, size in enumerate(x.shape) if size == 1 and shape[axis + extra] != 1]
    total = sum(g, axes=(*range(extra), *stretched))
    return total if total.shape == x.shape else reshape(total, shape=x.shape)


broadcast_to: Primitive = register(
    Primitive(
        "broadcast_to",
        _broadcast_to_type,
        lambda x, shape: np.broadcast_to(x, shape),
        (_broadcast_to_rule,),
        "broadcast({0}, {shape})",
        fixed(
            ((spread((3,), -1, 1),), {"shape": (2, 3)}),
            ((spread((), -1, 1),), {"shape": (2, 3)}),
            ((spread((0, 1), -1, 1),), {"shape": (2, 0, 3)}),
            ((spread((2, 1), -1, 1),), {"shape": (4, 2, 3)}),
            ((spread((1, 1), -1, 1),), {"shape": (1, 1)}),
            ((spread((1,), -1, 1),), {"shape": (0,)}),
            dtypes=DTYPES,
        ),
    )
)

# -- sum


def reduced_shape(shape: Shape, axes: tuple[int, ...]) -> Shape:
    """`shape` without `axes`."""
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def kept_shape(shape: Shape, axes: tuple[int, ...]) -> Shape:
    """`shape` with size 1 in place of `axes`."""
    return tuple(1 if axis in axes else size for axis, size in enumerate(shape))


def expand_like(g: Any, axes: tuple[int, ...], shape: Shape) -> Any:
    """Repeat a reduced array along the axes it lost."""
    return broadcast_to(reshape(g, shape=kept_shape(shape, axes)), shape=shape)


def reducing_type(name: str, dtypes: Collection[DType], needs_elements: bool) -> Callable[..., ArrayType]:
    """Axes that lie in the array go; needs_elements: of nothing the result is undefined."""

    def rule(kind: ArrayType, *, axes: tuple[int, ...]) -> ArrayType:
        require_dtype(name, kind, dtypes)
        for axis in axes:
            normalize_axis(axis, kind.ndim)
            if needs_elements and kind.shape[axis] == 0:
                raise ShapeError(
                    f"{name} over axis {axis} of {kind}: the axis is empty and {name} of nothing is undefined"
                )
        return kind.with_shape(reduced_shape(kind.shape, axes))

    return rule


AXES: tuple[tuple[Shape, tuple[int, ...]], ...] = (
    ((2, 3), (0,)),
    ((2, 3), (1,)),
    ((2, 3), (0, 1)),
    ((2, 3, 4), (0, 2)),
    ((2, 3), ()),
    ((), ()),
    ((1,), (0,)),
)
"""Shapes, and the axes of them that the tests reduce."""


def axes_samples(dtypes: Collection[DType], empty: bool) -> Callable[[], Iterator[Sample]]:
    """empty: an axis without elements is reduced too."""

    def iterate() -> Iterator[Sample]:
        for dtype in dtypes:
            yield Sample((of_dtype(dtype, (2, 3), -2, 2),), {"axes": (1,)})
        for shape, axes in AXES:
            yield Sample((spread(shape, -2, 2),), {"axes": axes})
        yield Sample((spread((4, 6), -2, 2).T[::2],), {"axes": (0,)})
        yield Sample((spread((0, 3), -2, 2),), {"axes": (0,) if empty else (1,)})
        yield Sample((np.array([[1.0, np.nan, 2.0], [np.inf, -np.inf, 0.0], [1.0, 1.0, 1.0]]),), {"axes": (1,)}, False)

    return iterate


sum: Primitive = register(
    Primitive(
        "sum",
        reducing_type("sum", (*NUMBERS, *COMPLEX), needs_elements=False),
        lambda x, axes: np.sum(x, axes, x.dtype),
        (lambda g, y, x, axes: expand_like(g, axes, x.shape),),
        "Σ({0}; {axes})",
        axes_samples(NUMBERS, empty=True),
    )
)
