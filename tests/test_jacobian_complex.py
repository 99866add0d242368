"""Jacobians with complex numbers on a side: closed forms, real derivatives of the parts, higher orders, compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ConfigurationError, GradientError
from chainrule.ir.types import NumpyArray

RANDOM = np.random.default_rng(0)
Z = RANDOM.normal(size=3) + 1j * RANDOM.normal(size=3)
X = RANDOM.normal(size=3)
A = RANDOM.normal(size=(2, 3)) + 1j * RANDOM.normal(size=(2, 3))
MODES = pytest.mark.parametrize("mode", ["reverse", "forward"])


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-14)
    assert found.dtype == np.asarray(expected).dtype


@MODES
def test_a_function_with_a_complex_derivative(mode: str) -> None:
    def function(z: Any) -> Any:
        return cr.exp(cr.asarray(A) @ z)

    found = cr.jacobian(function, mode=mode, wirtinger="z")
    close(found(Z), np.exp(A @ Z)[:, None] * A)
    close(cr.compile(found)(Z), np.exp(A @ Z)[:, None] * A)
    close(cr.jacobian(function, mode=mode, wirtinger="z", chunk_size=2)(Z), np.exp(A @ Z)[:, None] * A)
    assert np.abs(cr.jacobian(function, mode=mode, wirtinger="conjugate")(Z).numpy()).max() < 1e-13


@MODES
def test_a_function_without_one_has_two(mode: str) -> None:
    def function(z: Any) -> Any:
        return z * z * cr.conj(z)

    close(cr.jacobian(function, mode=mode, wirtinger="z")(Z), np.diag(2 * np.abs(Z) ** 2 + 0j))
    close(cr.jacobian(function, mode=mode, wirtinger="conjugate")(Z), np.diag(Z * Z))


@MODES
def test_one_complex_side_needs_no_choice(mode: str) -> None:
    close(cr.jacobian(lambda x: cr.asarray(A) @ x**2, mode=mode)(X), 2 * A * X)
    size = cr.jacobian(lambda z: cr.real(z * cr.conj(z)), mode=mode)
    close(size(Z), np.diag(2 * Z))  # the gradients, in PyTorch's convention
    close(size(Z).sum(axis=0), cr.grad(lambda z: cr.real(z * cr.conj(z)).sum())(Z).numpy())
    for wirtinger, expected in (("z", np.conj(Z)), ("conjugate", Z)):
        close(cr.jacobian(lambda z: cr.abs(z) ** 2, mode=mode, wirtinger=wirtinger)(Z), np.diag(expected))


@MODES
def test_real_and_complex_ones_together(mode: str) -> None:
    def function(both: Any) -> Any:
        return {"product": both["x"] * both["z"], "size": cr.abs(both["z"]) ** 2 + both["x"], "place": cr.ones(2)}

    found = cr.jacobian(function, mode=mode, wirtinger="z")({"x": X, "z": Z})
    close(found["product"]["x"], np.diag(Z))
    close(found["product"]["z"], np.diag(X + 0j))
    close(found["size"]["x"], np.eye(3))
    close(found["size"]["z"], np.diag(np.conj(Z)))
    assert found["place"]["z"].shape == (2, 3) and not found["place"]["z"].numpy().any()
    assert cr.jacobian(lambda z: z[:0], mode=mode, wirtinger="z")(Z).shape == (0, 3)
    assert cr.jacobian(lambda z: z.sum(), mode=mode, wirtinger="z")(np.zeros(0, complex)).shape == (0,)


@MODES
@pytest.mark.parametrize("compiled", [False, True])
def test_the_gradient_of_a_jacobian(mode: str, compiled: bool) -> None:
    """J = w exp(w z); of |J|² the gradient by z is 2 conj(J') J, and by w 2 conj((1 + w z) exp(w z)) J."""
    w = 0.3 - 0.8j

    def size(w: Any, z: Any) -> Any:
        slope = cr.vmap(cr.jacobian(lambda z: cr.exp(w * z), mode=mode, wirtinger="z"))(z)
        return (cr.abs(slope) ** 2).sum()

    gradient = cr.grad(size, (0, 1))
    by_w, by_z = (cr.compile(gradient) if compiled else gradient)(np.array(w), Z)
    slope = w * np.exp(w * Z)
    close(by_w, np.sum(2 * np.conj((1 + w * Z) * np.exp(w * Z)) * slope))
    close(by_z, 2 * np.conj(w * slope) * slope)


@pytest.mark.parametrize("inner", ["reverse", "forward"])
@pytest.mark.parametrize("outer", ["reverse", "forward"])
def test_they_nest(inner: str, outer: str) -> None:
    first = cr.jacobian(lambda z: z**4 * cr.conj(z), mode=inner, wirtinger="z")
    for wirtinger, expected in (("z", 12 * Z**2 * np.conj(Z)), ("conjugate", 4 * Z**3)):
        second = cr.jacobian(lambda z: cr.sum(first(z), axis=0), mode=outer, wirtinger=wirtinger)(Z)
        close(second, np.diag(expected))


def test_second_derivatives_of_a_real_number() -> None:
    """Of |z|⁴ the gradient is 4 |z|² z: by z that gives 8 |z|², by its conjugate 4 z²."""

    def loss(z: Any) -> Any:
        return (cr.abs(z) ** 4).sum()

    close(cr.hessian(loss, wirtinger="z")(Z), np.diag(8 * np.abs(Z) ** 2 + 0j))
    close(cr.hessian(loss, wirtinger="conjugate")(Z), np.diag(4 * Z * Z))


@pytest.mark.parametrize("function", [cr.fft.fft, cr.sqrt, cr.tan, lambda z: z / cr.abs(z), lambda z: cr.conj(z) ** 3])
def test_both_are_what_the_real_derivatives_of_the_parts_give(function: Callable[..., Any]) -> None:
    def parts(x: Any, y: Any) -> Any:
        found = function(cr.complex(x, y))
        return cr.real(found), cr.imag(found)

    (u_x, u_y), (v_x, v_y) = cr.jacobian(parts, (0, 1))(Z.real.copy(), Z.imag.copy())
    by_x: NumpyArray = u_x.numpy() + 1j * v_x.numpy()
    by_y: NumpyArray = u_y.numpy() + 1j * v_y.numpy()
    close(cr.jacobian(function, wirtinger="z")(Z), (by_x - 1j * by_y) / 2)
    close(cr.jacobian(function, wirtinger="conjugate")(Z), (by_x + 1j * by_y) / 2)


def test_what_is_refused() -> None:
    with pytest.raises(GradientError, match="has two derivatives: say which by wirtinger"):
        cr.jacobian(lambda z: z * z)(Z)
    with pytest.raises(ConfigurationError, match='None, "z" or "conjugate", not \'zbar\''):
        cr.jacobian(lambda z: z * z, wirtinger="zbar")(Z)
