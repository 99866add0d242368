"""cr.linalg and einsum against NumPy; gradients against central differences; what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError, ConfigurationError, GradientError, LinearAlgebraError, ShapeError

RANDOM = np.random.default_rng(5)
L = cr.linalg
A = RANDOM.normal(size=(2, 4, 3))
S = RANDOM.normal(size=(2, 3, 3))
Z = S + 1j * RANDOM.normal(size=S.shape)

AGAINST_NUMPY: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], Any]] = {
    "inv": (L.inv, np.linalg.inv, Z),
    "pinv": (L.pinv, np.linalg.pinv, A),
    "pinv of low rank": (L.pinv, np.linalg.pinv, np.outer([1.0, 2, 3], [1.0, 0, -1])),
    "pinv, rtol": (lambda x: L.pinv(x, rtol=0.4), lambda x: np.linalg.pinv(x, rtol=0.4), A),
    "rank": (L.matrix_rank, np.linalg.matrix_rank, np.stack([np.eye(3), np.ones((3, 3))])),
    "power": (lambda x: L.matrix_power(x, 5), lambda x: np.linalg.matrix_power(x, 5), S),
    "negative power": (lambda x: L.matrix_power(x, -3), lambda x: np.linalg.matrix_power(x, -3), Z),
    "power 0": (lambda x: L.matrix_power(x, 0), lambda x: np.linalg.matrix_power(x, 0), S),
    "cross": (lambda x: L.cross(x, x[:, ::-1]), lambda x: np.cross(x, x[:, ::-1]), A),
    "diagonal": (lambda x: L.diagonal(x, offset=-1), lambda x: np.diagonal(x, -1, -2, -1), A),
    "diagonal, one": (lambda x: L.diagonal(x, offset=2), lambda x: np.diagonal(x, 2, -2, -1), A),
    "diagonal, none": (lambda x: L.diagonal(x, offset=9), lambda x: np.diagonal(x, 9, -2, -1), A),
    "trace": (L.trace, lambda x: np.trace(x, 0, -2, -1), A),
    "solve, vector": (lambda x: L.solve(x, [1.0, 2, 3]), lambda x: np.linalg.solve(x, [1.0, 2, 3]), S),
    "solve, broadcast": (lambda x: L.solve(x, x[0]), lambda x: np.linalg.solve(x, x[0]), Z),
    "upper": (lambda x: L.cholesky(x @ x.mT, upper=True), lambda x: np.linalg.cholesky(x @ x.mT).mT, S),
    "svdvals": (L.svdvals, np.linalg.svdvals, Z),
    "eigvalsh": (lambda x: L.eigvalsh(x + cr.conj(x.mT)), lambda x: np.linalg.eigvalsh(x + x.mT.conj()), Z),
    "det": (L.det, np.linalg.det, Z),
    **{
        f"matrix norm {order}": (
            lambda x, order=order: L.matrix_norm(x, ord=order),
            lambda x, order=order: np.linalg.matrix_norm(x, ord=order),
            Z,
        )
        for order in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)
    },
    **{
        f"vector norm {order}": (
            lambda x, order=order: L.vector_norm(x, ord=order, axis=(0, 2), keepdims=True),
            lambda x, order=order: np.linalg.vector_norm(x, ord=order, axis=(0, 2), keepdims=True),
            Z,
        )
        for order in (2, 1, 0, 3, 0.5, -1, np.inf, -np.inf)
    },
}


@pytest.mark.parametrize("name", AGAINST_NUMPY)
def test_against_numpy(name: str) -> None:
    ours, theirs, x = AGAINST_NUMPY[name]
    np.testing.assert_allclose(ours(cr.tensor(x)).numpy(), theirs(x), rtol=1e-10, atol=1e-12)


def orthonormal(q: Any) -> None:
    eye = np.broadcast_to(np.eye(q.shape[-1]), (*q.shape[:-2], q.shape[-1], q.shape[-1]))
    np.testing.assert_allclose(q.mT.conj() @ q, eye, atol=1e-13)


def turned_alike(vectors: Any) -> None:
    """In each column the first element that is about as large as the largest is real and positive."""
    sizes = np.abs(vectors)
    first = (sizes >= 0.7 * sizes.max(-2, keepdims=True)).argmax(-2)
    chosen = np.take_along_axis(vectors, first[..., None, :], -2)
    assert (chosen.real > 0).all() and np.abs(chosen.imag).max() < 1e-13


def test_decompositions_give_the_matrix_back() -> None:
    for x in (A, Z, A.mT):
        q, r = L.qr(x)
        np.testing.assert_allclose((q @ r).numpy(), x, atol=1e-13)
        np.testing.assert_array_equal(np.triu(r.numpy()), r.numpy())
        orthonormal(q.numpy())
        assert (cr.real(L.diagonal(r)).numpy() >= 0).all()
        for full in (True, False):
            u, s, vh = (each.numpy() for each in L.svd(x, full_matrices=full))
            orthonormal(u)
            orthonormal(vh.mT.conj())
            turned_alike(u[..., : s.shape[-1]])
            assert (np.diff(s) <= 0).all() and (s >= 0).all()
            np.testing.assert_allclose(
                u[..., : s.shape[-1]] * s[..., None, :] @ vh[..., : s.shape[-1], :], x, atol=1e-13
            )
    values, vectors = (each.numpy() for each in L.eigh(Z))
    h = (Z + Z.mT.conj()) / 2
    np.testing.assert_allclose(h @ vectors, vectors * values[:, None, :], atol=1e-13)
    orthonormal(vectors)
    turned_alike(vectors)
    assert (np.diff(values) >= 0).all()


# -- derivatives


def slope(f: Callable[[Any], Any], x: Any, along: Any) -> float:
    steps = ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60))
    h = 1e-3
    return float(sum(w * (f(x + n * h * along) - f(x - n * h * along)) for n, w in steps) / h)


def total(y: Any) -> Any:
    weights = np.cos(np.arange(y.size)).reshape(y.shape)
    return cr.sum(cr.real(y) * weights) + cr.sum(cr.imag(y) * weights[..., ::-1] if y.ndim else cr.imag(y))


GRADIENTS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "pinv": (L.pinv, A),
    "inv": (L.inv, Z),
    "det": (L.det, Z),
    "slogdet": (lambda x: L.slogdet(x)[0] * L.slogdet(x)[1], Z),
    "cholesky": (lambda x: L.cholesky(x @ cr.conj(x.mT)), Z),
    "qr": (lambda x: cr.concat(list(L.qr(x)), axis=-1), Z),
    "projector": (lambda x: L.eigh(x)[1][..., :1] @ cr.conj(L.eigh(x)[1][..., :1].mT), Z),
    "nearest unitary": (lambda x: L.svd(x, full_matrices=False)[0] @ L.svd(x, full_matrices=False)[2], Z),
    "nuclear": (lambda x: L.matrix_norm(x, ord="nuc"), Z),
    "spectral": (lambda x: L.matrix_norm(x, ord=2), A),
    "power": (lambda x: L.matrix_power(x, -2), Z),
    "einsum": (lambda x: cr.einsum("bij,bkj,cii->bkc", x, x, x), Z),
    # where mathematics has a derivative though a value is repeated or zero
    "det, singular": (L.det, np.array([[1.0, 2, 0], [2.0, 4, 0], [1.0, 0, 5]])),
    "det, rank 1": (L.det, np.ones((3, 3))),
    "unitary factor of equal values": (lambda x: L.svd(x)[0] @ L.svd(x)[2], 2 * np.eye(3)),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_against_differences_to_second_order(name: str) -> None:
    f, x = GRADIENTS[name]
    along = RANDOM.normal(size=x.shape)
    along = along + 1j * RANDOM.normal(size=x.shape) if np.iscomplexobj(x) else along

    def inner(a: Any, b: Any) -> float:
        return float(np.sum(a.conj() * b).real)

    def value(y: Any) -> float:
        return float(total(f(cr.tensor(y))).item())

    gradient = cr.grad(lambda y: total(f(y)))
    given, expected = inner(gradient(x).numpy(), along), slope(value, x, along)
    assert abs(given - expected) < 1e-7 * max(1, abs(expected))
    if "equal" in name or "singular" in name or "rank" in name:
        return
    second = cr.hvp(lambda y: total(f(y)), (x,), (along,))[0].numpy()
    expected = slope(lambda y: inner(gradient(y).numpy(), along), x, along)
    assert abs(inner(second, along) - expected) < 1e-5 * max(1, abs(expected))


def test_second_derivatives_of_the_determinant_at_equal_singular_values() -> None:
    found = cr.hessian(L.det)(np.eye(2)).numpy()
    expected = np.zeros((2, 2, 2, 2))
    expected[0, 0, 1, 1] = expected[1, 1, 0, 0] = 1
    expected[0, 1, 1, 0] = expected[1, 0, 0, 1] = -1
    np.testing.assert_allclose(found, expected, atol=1e-14)


def test_norms_of_zero_have_the_gradient_zero() -> None:
    for norm in (L.vector_norm, L.matrix_norm, lambda x: L.vector_norm(x, ord=3)):
        assert cr.grad(norm)(np.zeros((2, 2))).tolist() == [[0, 0], [0, 0]]


# -- einsum


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        ("ij,jk->ik", ((2, 3), (3, 4))),
        ("ij,jk", ((2, 3), (3, 4))),
        ("ii->i", ((3, 3),)),
        ("ii", ((3, 3),)),
        ("ba", ((2, 3),)),
        ("i,j->ij", ((2,), (3,))),
        ("bhqd,bhkd->bhqk", ((2, 3, 4, 5), (2, 3, 6, 5))),
        ("...ij,...jk->...ik", ((2, 1, 2, 3), (4, 3, 2))),
        ("i...,i...->...", ((2, 3, 4), (2, 4))),
        ("ij,ij,ij->j", ((2, 3), (1, 3), (2, 3))),
        ("ij,jk,kl,lm->im", ((2, 3), (3, 4), (4, 5), (5, 2))),
        ("iij,jk->k", ((2, 2, 3), (3, 4))),
        ("->", ((),)),
        ("i,->i", ((3,), ())),
        (" a b , b -> a ", ((2, 3), (3,))),
        ("ij,k->ik", ((2, 0), (3,))),
    ],
)
def test_einsum(text: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    arrays = [RANDOM.normal(size=shape) for shape in shapes]
    expected = np.einsum(text, *arrays)
    np.testing.assert_allclose(cr.einsum(text, *arrays).numpy(), expected, atol=1e-13)
    assert cr.einsum(text, *arrays).shape == expected.shape


@pytest.mark.parametrize(
    "call",
    [
        lambda: cr.einsum("ij,jk", S),
        lambda: cr.einsum("ij", np.ones(3)),
        lambda: cr.einsum("ij->ik", S[0]),
        lambda: cr.einsum("ij->ii", S[0]),
        lambda: cr.einsum("i,i", np.ones(2), np.ones(3)),
        lambda: cr.einsum("i1", S[0]),
        lambda: cr.einsum("ii", np.ones((2, 3))),
    ],
)
def test_einsum_refuses_what_does_not_fit(call: Callable[[], Any]) -> None:
    with pytest.raises(ChainruleError, match="einsum"):
        call()


# -- what is refused


def test_errors_say_why() -> None:
    with pytest.raises(LinearAlgebraError, match="singular"):
        L.solve(np.ones((2, 2)), np.ones(2))
    with pytest.raises(LinearAlgebraError, match="positive definite"):
        L.cholesky(-np.eye(2))
    with pytest.raises(ShapeError, match="square"):
        L.det(A)
    with pytest.raises(ShapeError, match="matrices"):
        L.svd(np.ones(3))
    with pytest.raises(ConfigurationError, match="reduced"):
        L.qr(A, mode="r")
    with pytest.raises(GradientError, match="full_matrices=False"):
        cr.grad(lambda x: L.svd(x)[0].sum())(A[0])
    with pytest.raises(GradientError, match="reduced"):
        cr.grad(lambda x: L.qr(x, mode="complete")[0].sum())(A[0])
    assert cr.grad(lambda x: L.svd(x)[1].sum())(A[0]).shape == (4, 3)
