"""Determinants, and cofactors: their derivatives by each element, where the matrix is singular too.

With A = U S V*, the cofactors are U H V* times conj(det U det V*), where h_i is the product of all singular values but
the i-th. Their own derivative is written with the products of all but two, so there is no division anywhere, and second
derivatives of determinants are right where singular values are zero or equal.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ir.build import constant, splat
from ..ir.primitive import Primitive, register
from ..ir.types import ArrayType, NumpyArray
from . import broadcasting, structure
from . import elementwise as ew
from .batching import batched_by_leading_axes
from .broadcasting import sum
from .decompositions import diagonal_matrix, svd
from .linear import matmul, matrix_transpose
from .linear_systems import square_samples, wide
from .matrices import (
    adjoint_matrix,
    as_complex,
    columns,
    on_finite,
    require_matrix,
)


def _det_type(a: ArrayType) -> ArrayType:
    require_matrix("det", a, square=True)
    return a.with_shape(a.shape[:-2])


def _det_rule(g: Any, y: Any, a: Any) -> Any:
    return wide(g, a) * cofactors(a)


det: Primitive = register(
    Primitive("det", _det_type, lambda a: on_finite("det", np.linalg.det, a), (_det_rule,), "det {0}", square_samples)
)


def _type(a: ArrayType) -> ArrayType:
    require_matrix("cofactors", a, square=True)
    return a


def _numpy(a: NumpyArray) -> Any:
    return on_finite("cofactors", _from_svd, a)


def _from_svd(a: NumpyArray) -> Any:
    u, s, vh = np.linalg.svd(a)
    n = s.shape[-1]
    kept = np.where(np.eye(n, dtype=bool), 1, s[..., None, :])  # row i: all but the i-th
    phase = np.conj(np.linalg.det(u) * np.linalg.det(vh))[..., None, None]
    return np.asarray(phase * ((u * kept.prod(-1)[..., None, :]) @ vh), a.dtype)


def products_of_others(s: Any) -> Any:
    """For each element of the last axis the product of all others, without a division."""
    n, axis = s.shape[-1], s.ndim - 1
    if not n:
        return s
    before = [splat(1, s.type.with_shape((*s.shape[:-1], 1)))]
    after = list(before)
    for place in range(n - 1):
        before.append(before[-1] * structure.narrow(s, axis, place, place + 1))
        after.append(after[-1] * structure.narrow(s, axis, n - 1 - place, n - place))
    return structure.concat(*before, axis=axis) * structure.concat(*after[::-1], axis=axis)


def _products_of_other_pairs(s: Any) -> Any:
    """At i, j the product of all elements but the i-th and the j-th; 0 on the diagonal."""
    shape = (*s.shape, s.shape[-1])
    own = broadcasting.broadcast_to(constant(np.eye(s.shape[-1], dtype=bool)), shape=shape)
    without = ew.where(own, splat(1, s.type.with_shape(shape)), columns(s, shape))
    products = products_of_others(without)
    return ew.where(own, splat(0, products.type), products)


def _rule(g: Any, y: Any, a: Any) -> Any:
    if not a.size:
        return g
    u, s, vh = svd(a, full=False)
    pairs = _products_of_other_pairs(s)
    inner = matmul(matmul(adjoint_matrix(u), g), adjoint_matrix(vh))
    inner = ew.adjoint(wide(det(u) * det(vh), a) * inner)
    on_diagonal = sum(inner * as_complex(_identity(s), a), axes=(a.ndim - 1,))
    spread = sum(as_complex(pairs, a) * columns(on_diagonal, a.shape), axes=(a.ndim - 1,))
    turned = diagonal_matrix(spread, a) - as_complex(pairs, a) * matrix_transpose(inner)
    return matmul(matmul(u, turned), vh)


def _identity(s: Any) -> Any:
    return broadcasting.broadcast_to(constant(np.eye(s.shape[-1], dtype=s.dtype)), shape=(*s.shape, s.shape[-1]))


cofactors: Primitive = register(Primitive("cofactors", _type, _numpy, (_rule,), "cofactors({0})", square_samples))
batched_by_leading_axes(det, cofactors)
