"""Linear algebra, complex numbers and Fourier transforms against PyTorch in float64: values and gradients, 1e-9.

Where PyTorch leaves signs or phases open the loss does not depend on them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr

torch: Any = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle
RANDOM = np.random.default_rng(8)
A = RANDOM.normal(size=(2, 3, 3))
Z = A + 1j * RANDOM.normal(size=A.shape)
T = RANDOM.normal(size=(4, 3)) + 1j * RANDOM.normal(size=(4, 3))
L, TL = cr.linalg, torch.linalg

ROWS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], Any]] = {
    "solve": (lambda x: L.solve(x, x @ x), lambda x: TL.solve(x, x @ x), Z),
    "inv": (L.inv, TL.inv, Z),
    "det": (L.det, TL.det, Z),
    "slogdet": (lambda x: L.slogdet(x)[0] * L.slogdet(x)[1], lambda x: TL.slogdet(x)[0] * TL.slogdet(x)[1], Z),
    "cholesky": (lambda x: L.cholesky(x @ cr.conj(x.mT)), lambda x: TL.cholesky(x @ x.mH), Z),
    "eigvalsh": (lambda x: L.eigvalsh(x + cr.conj(x.mT)), lambda x: TL.eigvalsh(x + x.mH), Z),
    "eigenvectors": (
        lambda x: cr.abs(L.eigh(x + cr.conj(x.mT))[1]) ** 2 * cr.tensor(np.arange(3.0)),
        lambda x: TL.eigh(x + x.mH)[1].abs() ** 2 * torch.arange(3.0, dtype=torch.float64),
        Z,
    ),
    "singular vectors": (
        lambda x: cr.abs(L.svd(x, full_matrices=False)[0]) * L.svdvals(x),
        lambda x: TL.svd(x, full_matrices=False)[0].abs() * TL.svdvals(x),
        T,
    ),
    "unitary factor": (
        lambda x: L.svd(x, full_matrices=False)[0] @ L.svd(x, full_matrices=False)[2],
        lambda x: (lambda u, s, vh: u @ vh)(*TL.svd(x, full_matrices=False)),
        T,
    ),
    "pinv": (L.pinv, TL.pinv, T),
    "projector by qr": (
        lambda x: L.qr(x)[0] @ cr.conj(L.qr(x)[0].mT),
        lambda x: TL.qr(x)[0] @ TL.qr(x)[0].mH,
        T,
    ),
    "nuclear norm": (lambda x: L.matrix_norm(x, ord="nuc"), lambda x: TL.matrix_norm(x, ord="nuc"), T),
    "einsum": (lambda x: cr.einsum("bij,bjk->bik", x, x), lambda x: torch.einsum("bij,bjk->bik", x, x), Z),
    "fft": (lambda x: cr.fft.fft(x, n=5) ** 2, lambda x: torch.fft.fft(x, n=5) ** 2, Z),
    "irfft": (lambda x: cr.fft.irfft(x) ** 2, lambda x: torch.fft.irfft(x) ** 2, Z),
    "rfftn": (lambda x: cr.fft.rfftn(x) ** 2, lambda x: torch.fft.rfftn(x) ** 2, A),
    "functions": (
        lambda x: cr.exp(x) * cr.sqrt(x) + cr.log(x) / cr.tanh(x) + cr.abs(x) * cr.angle(x),
        lambda x: torch.exp(x) * torch.sqrt(x) + torch.log(x) / torch.tanh(x) + x.abs() * x.angle(),
        Z,
    ),
    "powers": (lambda x: x**3 + x**-2 + x**0.5 + 2.0**x, lambda x: x**3 + x**-2 + x**0.5 + 2.0**x, Z),
    "cumulative": (
        lambda x: cr.cumulative_prod(x, axis=1) + cr.cumulative_sum(x, axis=2),
        lambda x: torch.cumprod(x, 1) + torch.cumsum(x, 2),
        Z,
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_values_and_gradients_are_pytorchs(name: str) -> None:
    ours, theirs, x = ROWS[name]
    given = torch.tensor(x, requires_grad=True)
    expected = theirs(given)
    weights = RANDOM.normal(size=(2, *expected.shape))

    def loss(y: Any, real: Any, imag: Any, weights: Any) -> Any:
        return (real(y) * weights[0]).sum() + (imag(y) * weights[1]).sum()

    loss(expected, torch.real, lambda y: y.imag if y.is_complex() else 0 * y, torch.tensor(weights)).backward()
    np.testing.assert_allclose(ours(cr.tensor(x)).numpy(), expected.detach().numpy(), rtol=1e-9, atol=1e-9)
    found = cr.grad(lambda x: loss(ours(x), cr.real, cr.imag, weights))(x)
    np.testing.assert_allclose(found.numpy(), given.grad.numpy(), rtol=1e-9, atol=1e-9)
