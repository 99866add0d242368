"""What is opened before compiling: nothing is left without a kernel, and results are NumPy's to within rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler.arithmetic.scalar import SCALAR
from chainrule.compiler.emitters.table import LOWERINGS
from chainrule.errors import LinearAlgebraError
from chainrule.ir.primitive import all_primitives
from chainrule.passes.open_all import OPENINGS

RANDOM = np.random.default_rng(3)
CONTROL = {"scan", "cond", "while_loop", "checkpoint"}
COMPLEX = {"real", "imag", "conj", "complex"}
KERNELS = {"triangle_product"}
"""Beside the table: other products and convolutions have an entry there, too, for shapes that no fast path takes."""


def test_every_primitive_has_a_kernel_or_an_opening() -> None:
    ways = [set(SCALAR), set(LOWERINGS) - {"copy"}, CONTROL, set(OPENINGS), COMPLEX, KERNELS]
    assert set.union(*ways) == set(all_primitives())
    assert sum(map(len, ways)) == len(all_primitives()), "a primitive has two ways"


def close(found: Any, expected: Any, unit: float) -> None:
    given, wanted = (each if isinstance(each, tuple) else (each,) for each in (found, expected))
    for one, other in zip(given, wanted, strict=True):
        assert one.shape == other.shape and one.dtype == other.dtype
        scale = max(1.0, float(np.abs(other.numpy()[np.isfinite(other.numpy())]).max(initial=0)))
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=0, atol=200 * unit * scale)


def matrix(*shape: int) -> Any:
    """With values well apart, so that vectors are determined; one in a batch is NaN."""
    noise = RANDOM.uniform(-0.5, 0.5, shape)
    made = noise + np.eye(*shape[-2:]) * (1.0 + np.arange(shape[-1]))
    if len(shape) > 2:
        made[0, 0, 0] = np.nan
    return made


def small(a: Any) -> Any:
    return tuple(cr.linalg.svd(a, full_matrices=False))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_linear_algebra_compiled_is_that_of_lapack(dtype: str) -> None:
    """All of it in two programs: what costs here is compiling."""

    def square(a: Any, b: Any) -> Any:
        positive = a @ a.mT + np.eye(5).astype(dtype)
        return (
            *(cr.linalg.solve(a, b), cr.linalg.cholesky(positive), cr.linalg.det(a), *cr.linalg.slogdet(a)),
            *(*cr.linalg.qr(a), *cr.linalg.eigh(a), *small(a)),
        )

    def tall(a: Any) -> Any:
        return (*cr.linalg.qr(a), *cr.linalg.qr(a.mT), *small(a), *small(a.mT), cr.linalg.pinv(a))

    unit = float(np.finfo(dtype).eps)
    a, b, c = (each.astype(dtype) for each in (matrix(3, 5, 5), RANDOM.normal(size=(3, 5, 2)), matrix(6, 4)))
    close(cr.compile(square)(a, b), square(cr.tensor(a), cr.tensor(b)), unit)
    close(cr.compile(tall)(c), tall(cr.tensor(c)), unit)


def test_equal_and_vanishing_values() -> None:
    """Vectors are free there, but must be orthonormal and give the matrix back."""
    low = np.outer(np.arange(1.0, 6.0), np.ones(4)) + np.outer(np.ones(5), [1.0, 0, -1, 0])

    @cr.compile
    def decomposed(a: Any, symmetric: Any) -> Any:
        return (*cr.linalg.svd(a), *cr.linalg.eigh(symmetric), cr.linalg.matrix_rank(a))

    u, s, vh, values, vectors, rank = (each.numpy() for each in decomposed(low, np.ones((4, 4)) + 2 * np.eye(4)))
    np.testing.assert_allclose(u.T @ u, np.eye(5), atol=1e-14)
    np.testing.assert_allclose(vh @ vh.T, np.eye(4), atol=1e-14)
    np.testing.assert_allclose((u[:, :4] * s) @ vh, low, atol=1e-13)
    np.testing.assert_allclose(values, [2, 2, 2, 6], atol=1e-14)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(4), atol=1e-14)
    assert rank == 2


def test_what_has_no_result_is_an_error_and_the_determinant_is_zero() -> None:
    singular, indefinite = np.array([[1.0, 2.0], [2.0, 4.0]]), np.diag([1.0, -1.0])
    f = cr.compile(lambda a, b: (cr.linalg.solve(a, a), cr.linalg.det(a), cr.linalg.cholesky(b)))
    for matrices in ((singular, np.eye(2)), (np.eye(2), indefinite)):
        with pytest.raises(LinearAlgebraError):
            f(*matrices)
    assert cr.compile(cr.linalg.det)(singular).item() == 0


def test_a_training_step_through_decompositions_keeps_its_bits() -> None:
    def loss(a: Any) -> Any:
        q, r = cr.linalg.qr(a)
        return cr.sin(q).sum() + cr.linalg.eigvalsh(r @ r.mT).prod()

    a = matrix(4, 4)
    step = cr.compile(cr.grad(loss))
    np.testing.assert_allclose(step(a).numpy(), cr.grad(loss)(a).numpy(), rtol=1e-9, atol=1e-9)
    assert step(a).numpy().tobytes() == step(a).numpy().tobytes()
