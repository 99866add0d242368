"""Complex numbers: functions against mpmath, gradients in PyTorch's convention, compiled programs, what is refused."""

from __future__ import annotations

import cmath
import warnings
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError, DtypeError, GradientError

RANDOM = np.random.default_rng(11)


def numbers(*shape: int, size: float = 2.0) -> Any:
    return size * (RANDOM.uniform(-1, 1, shape) + 1j * RANDOM.uniform(-1, 1, shape))


NAMES = {
    **{name: name for name in ("exp", "expm1", "log", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh")},
    **{name: name for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh", "log10", "log1p", "sign")},
    "reciprocal": "reciprocal",
}
MEANING = {
    **{name: getattr(mpmath, name) for name in NAMES if hasattr(mpmath, name)},
    "log1p": lambda z: mpmath.log(1 + z),
    "reciprocal": lambda z: 1 / z,
}


@pytest.mark.parametrize("name", NAMES)
def test_functions_to_the_last_digits(name: str) -> None:
    """Of the size of the result, as for every complex function: the smaller part may have fewer digits of its own."""
    for size in (1e-3, 0.5, 2.0, 30.0 if name not in ("exp", "expm1") else 3.0):
        z = numbers(40, size=size)
        found = getattr(cr, name)(cr.tensor(z)).numpy()
        with mpmath.workdps(40):
            expected = np.array([complex(MEANING[name](mpmath.mpc(each))) for each in z])
        assert np.max(np.abs(found - expected) / np.abs(expected)) < 12 * 2.0**-52
        narrow = getattr(cr, name)(cr.tensor(z.astype(np.complex64)))
        assert narrow.dtype == cr.complex64 and np.max(np.abs(narrow.numpy() - expected) / np.abs(expected)) < 1e-5


def test_branch_cuts_are_those_of_c99() -> None:
    points = [complex(a, b) for a in (-2.0, -0.5, 0.0, 0.5, 2.0) for b in (0.0, -0.0)]
    points += [complex(b, a) for a in (-2.0, 0.5, 2.0) for b in (0.0, -0.0)]
    for name in ("log", "sqrt", "asin", "acos", "acosh", "asinh", "atan", "atanh"):
        for z in points:
            if name == "log" and z == 0:
                continue
            found = getattr(cr, name)(cr.tensor(np.complex128(z))).item()
            assert cmath.isclose(found, getattr(cmath, name)(z), rel_tol=1e-14, abs_tol=1e-15), (name, z)


def test_parts_and_reductions() -> None:
    z = numbers(3, 4)
    x = cr.tensor(z)
    for ours, theirs in (
        (x.real, z.real),
        (x.imag, z.imag),
        (x.conj(), z.conj()),
        (abs(x), np.abs(z)),
        (cr.angle(x), np.angle(z)),
        (cr.polar(abs(x), cr.angle(x)), z),
        (cr.complex(x.real, 2.0), z.real + 2j),
        (x.sum(0), z.sum(0)),
        (x.mean(), z.mean()),
        (x.var(1), z.var(1)),
        (cr.prod(x, axis=1), z.prod(1)),
        (cr.cumulative_sum(x, axis=1), z.cumsum(1)),
        (cr.cumulative_prod(x, axis=1), z.cumprod(1)),
        (x @ x.mT, z @ z.T),
        (cr.vecdot(x, x[0]), (z.conj() * z[0]).sum(1)),
        (x**3, z**3),
        (x**-2, z**-2.0),
        (x**0.3, z**0.3),
        (2j**x, 2j**z),
        (1j * x + 2, 1j * z + 2),
        (cr.round(x * 10), np.round(z * 10)),
        (cr.astype(x, bool), z.astype(bool)),
    ):
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-13)
    assert cr.real(3.0).item() == 3 and cr.imag(np.ones(2)).tolist() == [0, 0] and cr.conj(2.0).item() == 2


def test_element_types() -> None:
    assert cr.tensor([1j, 2]).dtype == cr.complex64 and (cr.ones(2) * 1j).dtype == cr.complex64
    assert (cr.ones(2, dtype=cr.float64) * 1j).dtype == cr.complex128
    assert (cr.tensor([1j]) + np.ones(1)).dtype == cr.complex128 and (cr.tensor([1j]) + 1.5).dtype == cr.complex64
    assert complex(cr.tensor(1 + 2j)) == 1 + 2j
    for wrong in (lambda: cr.tensor(1j).astype("float32"), lambda: cr.tensor(1j) < 2, lambda: cr.tensor([1j], "int8")):
        with pytest.raises(DtypeError), warnings.catch_warnings():
            warnings.simplefilter("error")
            wrong()


# -- gradients

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "products": lambda z: z * cr.conj(z) * z + 2j * z,
    "quotients": lambda z: (z + 1) / (z * z + 3),
    "exp log": lambda z: cr.exp(z) * cr.log(z + 3) + cr.log1p(z * 0.1),
    "roots": lambda z: cr.sqrt(z + 3) ** 3 + (z + 3) ** (0.3 + 0.1j),
    "waves": lambda z: cr.sin(z) * cr.cosh(z) + cr.tanh(z) * cr.expm1(z),
    "inverse": lambda z: cr.asin(z * 0.3) + cr.atanh(z * 0.2) * cr.acosh(z + 4),
    "polar": lambda z: cr.polar(cr.abs(z), 2 * cr.angle(z)) + cr.sign(z),
    "products of matrices": lambda z: z @ cr.conj(z.mT) @ z,
    "moved about": lambda z: cr.concat([cr.flip(z), z[1:] * 2, cr.take(z, [0, 0], axis=0)]) ** 2,
    "sums": lambda z: cr.cumulative_prod(z, axis=0) + cr.cumulative_sum(z, axis=1) * cr.sum(z),
}


def total(z: Any) -> Any:
    weights = np.cos(np.arange(2 * z.size)).reshape(2, *z.shape)
    return cr.sum(cr.real(z) * weights[0] + cr.imag(z) * weights[1])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_to_second_order_eager_and_compiled(name: str) -> None:
    """The gradient along a direction d is Re conj(gradient) d, in every direction of the plane."""
    f, z, along = FUNCTIONS[name], numbers(3, 3, size=0.8) + 0.5, numbers(3, 3)
    gradient = cr.grad(lambda z: total(f(z)))
    second = cr.grad(lambda z: cr.sum(cr.real(cr.conj(gradient(z)) * along)))

    def slope(g: Callable[[Any], float]) -> float:
        weights = ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60))
        return sum(w * (g(z + n * 1e-3 * along) - g(z - n * 1e-3 * along)) for n, w in weights) / 1e-3

    def inner(a: Any) -> float:
        return float(np.sum(a.numpy().conj() * along).real)

    assert abs(inner(gradient(z)) - slope(lambda z: total(f(cr.tensor(z))).item())) < 1e-7
    assert abs(inner(second(z)) - slope(lambda z: inner(gradient(z)))) < 1e-6
    if name in ("products", "quotients", "products of matrices", "moved about"):  # the others differ in functions alone
        for function in (gradient, second):
            np.testing.assert_allclose(cr.compile(function)(z).numpy(), function(z).numpy(), rtol=1e-12, atol=1e-12)


DERIVATIVES: dict[str, Callable[[complex], complex]] = {
    "exp": cmath.exp,
    "expm1": cmath.exp,
    "sinh": cmath.cosh,
    "cosh": cmath.sinh,
    "tanh": lambda z: 1 / cmath.cosh(z) ** 2,
    "sin": cmath.cos,
    "cos": lambda z: -cmath.sin(z),
    "tan": lambda z: 1 / cmath.cos(z) ** 2,
    "log": lambda z: 1 / z,
    "sqrt": lambda z: 0.5 / cmath.sqrt(z),
    "asinh": lambda z: 1 / cmath.sqrt(1 + z * z),
    "atan": lambda z: 1 / (1 + z * z),
    "reciprocal": lambda z: -1 / (z * z),
}


@pytest.mark.parametrize("name", DERIVATIVES)
def test_derivatives_on_the_axes(name: str) -> None:
    """Where a part is exactly 0, as of real numbers made complex: conj(f'(z)) for the real part of f."""
    points = np.array([0.7, 1.0, 2j / 3, 0.25j, 21.0 if name != "tan" else 0.1])
    found = cr.grad(lambda z: cr.sum(cr.real(getattr(cr, name)(z))))(points).numpy()
    np.testing.assert_allclose(found, np.conj([DERIVATIVES[name](complex(z)) for z in points]), rtol=1e-12, atol=1e-16)


def test_the_gradient_points_where_the_loss_grows() -> None:
    w = cr.Parameter(np.array([3 + 4j]))
    (w.real**2 + w.imag**2).sum().backward()
    assert w.grad is not None and w.grad.tolist() == [6 + 8j]
    value, tangent = cr.jvp(lambda z: z * z, (np.array(2 + 1j),), (np.array(1j),))
    assert value.item() == 3 + 4j and tangent.item() == 2 * (2 + 1j) * 1j
    real_to_complex = cr.grad(lambda x: cr.abs(x * (1 + 1j)).sum())(np.array([2.0]))
    assert real_to_complex.dtype == cr.float64
    np.testing.assert_allclose(real_to_complex.numpy(), [2**0.5])


# -- compiled


def test_a_compiled_function_of_complex_arrays_loops_and_cells() -> None:
    state = cr.tensor(np.array([1 + 1j, 2.0]))

    @cr.compile
    def step(z: Any, x: Any) -> Any:
        state.assign(state * z)
        last, all_ = cr.scan(lambda c, row: (c * row + 1j, cr.conj(c)), z, cr.stack([z, state]))
        chosen = cr.cond(cr.real(z).sum() > 0, lambda a: a * 2, lambda a: a - 1j, last)
        return {"all": all_, "chosen": chosen, "mixed": x * z, "real": cr.abs(z), "text": cr.tensor([1j]) + z}

    z, x = numbers(2), RANDOM.normal(size=2)
    first = {name: each.numpy().copy() for name, each in step(z, x).items()}
    after = np.array([1 + 1j, 2.0]) * z
    np.testing.assert_allclose(state.numpy(), after, rtol=1e-15)
    np.testing.assert_allclose(first["all"], np.conj([z, z * z + 1j]), rtol=1e-14)
    last = (z * z + 1j) * after + 1j
    np.testing.assert_allclose(first["chosen"], last * 2 if z.real.sum() > 0 else last - 1j, rtol=1e-14)
    np.testing.assert_allclose(first["mixed"], x * z)
    assert first["real"].dtype == np.float64 and first["text"].dtype == np.complex128
    step(z, x)
    np.testing.assert_allclose(state.numpy(), after * z, rtol=1e-14)


def test_vmap_and_checkpoint() -> None:
    z = numbers(4, 3)

    def loss(z: Any) -> Any:
        return cr.abs(cr.checkpoint(lambda z: cr.exp(z) * cr.fft.fft(z))(z)).sum()

    rows = [cr.grad(loss)(row).numpy() for row in z]
    for function in (cr.vmap(cr.grad(loss)), cr.compile(cr.vmap(cr.grad(loss)))):
        np.testing.assert_allclose(function(z).numpy(), rows, rtol=1e-12)


def test_what_is_refused() -> None:
    z = cr.tensor([1 + 1j])
    with pytest.raises(GradientError, match="float"):
        cr.grad(lambda z: (z * z).sum())(z)
    with pytest.raises(GradientError, match="real number"):
        (cr.Parameter([1j]) * 2).sum().backward()
    with pytest.raises(GradientError, match="say which by wirtinger"):
        cr.jacobian(lambda z: z * z)(z)
    with pytest.raises(ChainruleError, match="floats"):
        cr.optim.SGD([cr.Parameter([1j])], lr=0.1)
    with pytest.raises(DtypeError, match="maximum"):
        cr.maximum(z, z)
