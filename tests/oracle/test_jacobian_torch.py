"""Complex jacobians, and gradients of them, against PyTorch's: of complex results by their real and imaginary parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr

torch: Any = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle
RANDOM = np.random.default_rng(0)
Z = RANDOM.normal(size=(2, 2)) + 1j * RANDOM.normal(size=(2, 2))


def real_of(library: Any, z: Any) -> Any:
    """A real function of complex numbers."""
    return library.abs(library.exp(z @ z)) + library.real(library.fft.fft(z)) * library.imag(z)


def complex_of(library: Any, z: Any) -> Any:
    """A complex one, without a complex derivative."""
    return library.sin(z @ z) * library.conj(z) / library.abs(z)


def theirs(function: Any, z: Any) -> Any:
    return torch.autograd.functional.jacobian(lambda z: function(torch, z), z, create_graph=True)


def by_parts(z: Any, conjugate: bool) -> Any:
    """∂f/∂z or ∂f/∂z̄ from PyTorch's real derivatives."""
    u = theirs(lambda library, z: library.real(complex_of(library, z)), z)
    v = theirs(lambda library, z: library.imag(complex_of(library, z)), z)
    return (u + 1j * v) / 2 if conjugate else (u.conj() + 1j * v.conj()) / 2


@pytest.mark.parametrize("mode", ["reverse", "forward"])
@pytest.mark.parametrize("wirtinger", [None, "z", "conjugate"])
def test_jacobian_and_the_gradient_through_it(mode: str, wirtinger: str | None) -> None:
    function = real_of if wirtinger is None else complex_of
    jacobian = cr.jacobian(lambda z: function(cr, z), mode=mode, wirtinger=wirtinger)
    z = torch.tensor(Z, requires_grad=True)
    expected = theirs(real_of, z) if wirtinger is None else by_parts(z, wirtinger == "conjugate")
    np.testing.assert_allclose(jacobian(Z).numpy(), expected.detach().numpy(), rtol=1e-10, atol=1e-12)
    weights = RANDOM.normal(size=expected.shape)
    (torch.tensor(weights) * expected.abs() ** 2).sum().backward()
    found = cr.grad(lambda z: (cr.asarray(weights) * cr.abs(jacobian(z)) ** 2).sum())(Z)
    np.testing.assert_allclose(found.numpy(), z.grad.numpy(), rtol=1e-10, atol=1e-12)
