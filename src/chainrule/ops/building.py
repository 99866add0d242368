"""Arrays built of others: diagonals, Kronecker products, counts, broken lines. Made of primitives, on Values."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DtypeError, ShapeError
from ..ir.build import splat
from ..ir.graph import Value
from ..ir.types import ArrayType, int64
from .arrays import outer, permute_dims
from .gathers import scatter_add, take
from .known import known
from .linalg import diagonal
from .operators import broadcast, floating, lift, reshape
from .operators import where as choose
from .searching import searchsorted


def diag(x: Any, k: int = 0) -> Value:
    """A vector as the k-th diagonal of a square matrix; of a matrix its k-th diagonal, above the main one for k > 0."""
    value = lift(x)
    if value.ndim not in (1, 2):
        raise ShapeError(f"diag takes a vector or a matrix, but was given {value.type}")
    if value.ndim == 2:
        return diagonal(value, k)
    size = value.size + abs(k)
    places = np.arange(value.size) * (size + 1) + max(k, -k * size)
    zeros = splat(0, ArrayType((size * size,), value.dtype))
    return reshape(scatter_add(zeros, places, value), (size, size))


def kron(x: Any, y: Any) -> Value:
    """The Kronecker product: each element of x times the whole of y."""
    first, second = lift(x), lift(y)
    rank = max(first.ndim, second.ndim)
    left, right = ((1,) * (rank - each.ndim) + each.shape for each in (first, second))
    apart = reshape(outer(reshape(first, (first.size,)), reshape(second, (second.size,))), (*left, *right))
    mixed = permute_dims(apart, tuple(each for axis in range(rank) for each in (axis, rank + axis)))
    return reshape(mixed, tuple(a * b for a, b in zip(left, right)))


def bincount(x: Any, weights: Any = None, minlength: int = 0, length: int | None = None) -> Value:
    """How often each of the integers 0, 1, 2, ... comes in the vector x, or the sum of their weights.

    length: how many integers are counted, which a compiled function has to say; others are an error. Without it as many
    as the largest needs, and at least minlength.
    """
    value = lift(x)
    if value.ndim != 1 or value.dtype.kind not in "iu":
        raise DtypeError(f"bincount counts a vector of integers, but was given {value.type}")
    if length is None:
        array = known(value, "bincount without length=")
        length = max(minlength, int(array.max(initial=-1)) + 1)
    if value.dtype.kind == "i":
        value = choose(value < 0, length, value)  # negative indices would count from the end
    added = splat(1, ArrayType(value.shape, int64)) if weights is None else lift(weights)
    return scatter_add(splat(0, ArrayType((length,), added.dtype)), value, broadcast(added, value.shape))


def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None) -> Value:
    """The broken line through the points (xp, fp), at x; xp ascends. Outside it is left and right, or its ends.

    Differentiable in x, xp and fp; at a corner the slope in x is that of the piece to its right.
    """
    wanted, places, heights = floating(x), floating(xp), floating(fp)
    if places.ndim != 1 or places.shape != heights.shape or not places.size:
        raise ShapeError(
            f"interp goes through points, vectors of one length, but was given {places.type} and {heights.type}"
        )
    if places.size > 1:
        low = searchsorted(places, wanted, side="right") - 1
        low = choose(low < 0, 0, choose(low > places.size - 2, places.size - 2, low))
        start, end = take(places, low, 0), take(places, low + 1, 0)
        first, second = take(heights, low, 0), take(heights, low + 1, 0)
        inside = first + (second - first) / choose(end == start, 1.0, end - start) * (wanted - start)
    else:
        inside = wanted * 0.0 + heights[0]
    inside = choose(wanted == places[-1], heights[-1], inside)
    inside = choose(wanted < places[0], heights[0] if left is None else left, inside)
    return choose(wanted > places[-1], heights[-1] if right is None else right, inside)
