"""What the primitives of linear algebra share: their shapes, matrices that are not finite, samples, batches.

Matrices are the last two axes; all axes before them are a batch. A matrix with a NaN or infinity in it gives NaN; a
finite one for which there is no result raises a LinearAlgebraError; compiled programs note it, and raise it behind the
run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import LinearAlgebraError, ShapeError
from ..ir.build import constant
from ..ir.graph import Value
from ..ir.types import INEXACT, ArrayType, NumpyArray, part_dtype
from .broadcasting import broadcast_to
from .complex import imag, join, real
from .elementwise import adjoint, cast, multiply_no_nan
from .linear import matrix_transpose
from .samples import spread
from .structure import reshape
from .type_rules import require_dtype


def require_matrix(name: str, kind: ArrayType, square: bool = False) -> None:
    """An error unless the last two axes are a matrix of floats or complex numbers, square where asked for."""
    require_dtype(name, kind, INEXACT)
    if kind.ndim < 2:
        raise ShapeError(f"{name} takes matrices, which are the last two axes, but was given {kind}")
    if square and kind.shape[-1] != kind.shape[-2]:
        raise ShapeError(f"{name} takes square matrices, but was given {kind}")


def adjoint_matrix(x: Any) -> Any:
    """Rows and columns exchanged, and complex numbers conjugated."""
    return matrix_transpose(adjoint(x))


def symmetric_part(x: Any) -> Any:
    """Half of a matrix and its adjoint."""
    return 0.5 * (x + adjoint_matrix(x))


def times(scale: Any, x: Any) -> Any:
    """Real numbers times x, of the same shape; 0 where x is 0, whatever the scale is."""
    if not x.type.is_complex:
        return multiply_no_nan(scale, x)
    return join(multiply_no_nan(scale, real(x)), multiply_no_nan(scale, imag(x)))


def as_complex(x: Any, like: Any) -> Any:
    """Real numbers in the element type of `like`."""
    return x if x.dtype == like.dtype else cast(x, dtype=like.dtype)


def columns(x: Any, shape: Sequence[int]) -> Any:
    """A vector (..., n) as a matrix (..., m, n) whose rows are all it."""
    return broadcast_to(reshape(x, shape=(*x.shape[:-1], 1, x.shape[-1])), shape=tuple(shape))


def rows(x: Any, shape: Sequence[int]) -> Any:
    """A vector (..., m) as a matrix (..., m, n) whose columns are all it."""
    return broadcast_to(reshape(x, shape=(*x.shape, 1)), shape=tuple(shape))


def real_type(kind: ArrayType, shape: Sequence[int]) -> ArrayType:
    """The type of the real numbers that belong to a matrix: singular values and the like."""
    return ArrayType(tuple(shape), part_dtype(kind.dtype))


# -- in NumPy


def adjoint_array(x: NumpyArray) -> NumpyArray:
    """The same of an array."""
    result: NumpyArray = np.swapaxes(x, -1, -2).conj()
    return result


def on_finite(name: str, function: Callable[..., Any], matrix: NumpyArray, *others: NumpyArray) -> Any:
    """function(matrix, *others), and NaN where the matrix is not finite; NumPy's errors in our words."""
    finite: NumpyArray = np.asarray(np.isfinite(matrix).all((-1, -2)))
    whole = bool(finite.all())
    given = (
        matrix if whole else np.where(finite[..., None, None], matrix, np.eye(*matrix.shape[-2:], dtype=matrix.dtype))
    )
    try:
        result = function(given, *others)
    except np.linalg.LinAlgError as error:
        raise LinearAlgebraError(
            f"{name}: {str(error).lower()}; the matrices are {matrix.dtype}{matrix.shape}"
        ) from None
    if whole:
        return result
    if isinstance(result, tuple):
        return tuple(_spoilt(each, finite) for each in result)
    return _spoilt(result, finite)


def _spoilt(result: Any, finite: NumpyArray) -> NumpyArray:
    mask = finite.reshape(finite.shape + (1,) * (np.ndim(result) - finite.ndim))
    return np.where(mask, result, np.asarray(np.nan, np.asarray(result).dtype))


# -- samples


def well_spread(n: int, batch: tuple[int, ...] = (), seed: int = 0, m: int | None = None) -> NumpyArray:
    """Matrices (..., m, n) whose singular values, and eigenvalues if they are made symmetric, lie well apart."""
    height = n if m is None else m
    noise = spread((*batch, height, n), -0.5, 0.5, seed)
    result: NumpyArray = noise + np.eye(height, n) * (1.0 + np.arange(n))
    return result


def with_nan(matrix: NumpyArray) -> NumpyArray:
    """One of its elements on the diagonal is NaN."""
    result = np.array(matrix)
    result[..., 0, 0] = np.nan
    return result


# -- identity


def identity_like(x: Value) -> Value:
    """The identity for each of square matrices, in their element type."""
    return constant(np.broadcast_to(np.eye(x.shape[-1], dtype=x.dtype), x.shape))
