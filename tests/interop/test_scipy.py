"""SciPy's optimisers with our gradients: the derivatives they are handed, and where they end."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import DtypeError, MissingDependencyError, ShapeError, UnknownNameError
from chainrule.interop.scipy import METHODS, least_squares, minimize

optimize = pytest.importorskip("scipy.optimize")

START = {"x": np.array([1.3, 1.5]), "more": [np.float64(2.5)]}


def valley(p: Any) -> Any:
    """Smooth, convex near its minimum at x = (1, 1), more = 3."""
    x = p["x"]
    return (1 - x[0]) ** 2 + 2 * (x[1] - x[0] ** 2) ** 2 + (p["more"][0] - x[0] * 3) ** 2


@pytest.mark.parametrize("method", [each for each in METHODS if each not in ("cobyla", "cobyqa", "powell")])
def test_every_method_ends_at_the_minimum(method: str) -> None:
    found = minimize(valley, START, method=method)
    np.testing.assert_allclose(found.x["x"], [1, 1], atol=3e-3)
    np.testing.assert_allclose(found.x["more"][0], 3, atol=3e-3)


@pytest.mark.parametrize("native", [False, True])
def test_the_derivatives_are_scipys_own(native: bool) -> None:
    flat = minimize(
        lambda x: (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2, START["x"], method="newton-cg", compile=native
    )
    expected = optimize.minimize(
        optimize.rosen, START["x"], method="newton-cg", jac=optimize.rosen_der, hessp=optimize.rosen_hess_prod
    )
    assert (flat.result.nit, flat.result.nhev) == (expected.nit, expected.nhev)
    np.testing.assert_allclose(flat.x, expected.x, rtol=1e-9)


def test_a_network_is_moved_in_place() -> None:
    cr.random.manual_seed(0)
    random = np.random.default_rng(0)
    inputs = random.standard_normal((40, 2)).astype(np.float32)
    targets = inputs[:, :1] * inputs[:, 1:]
    model = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 1))
    first = model[0].weight
    seen: list[float] = []

    def loss(network: Any, x: Any, y: Any) -> Any:
        return nn.functional.mse_loss(network(x), y)

    def note(network: Any) -> None:
        seen.append(loss(network, inputs, targets).item())

    found = minimize(loss, model, (inputs, targets), compile=True, callback=note, options={"maxiter": 40})
    assert found.x is model and model[0].weight is first and first.dtype == np.float32
    np.testing.assert_allclose(loss(model, inputs, targets).item(), found.fun, rtol=1e-4)
    assert found.fun < 0.1 < seen[0] and len(seen) == found.result.nit


def test_bounds_are_nests_or_numbers() -> None:
    found = minimize(
        lambda p: ((p["a"] - 3) ** 2).sum() + (p["b"] + 1) ** 2, {"a": np.zeros(2), "b": 0.5}, bounds=(0, None)
    )
    np.testing.assert_allclose(found.x["a"], [3, 3], rtol=1e-6)
    assert found.x["b"].item() == 0
    high = {"a": np.array([1.0, 5.0]), "b": 2.0}
    within = minimize(
        lambda p: ((p["a"] - 3) ** 2).sum() + (p["b"] + 1) ** 2, {"a": np.zeros(2), "b": 0.5}, bounds=(0, high)
    )
    np.testing.assert_allclose(within.x["a"], [1, 3], rtol=1e-6)


def test_least_squares_with_an_exact_jacobian() -> None:
    t = np.linspace(0, 2, 25)
    y = 3 * np.exp(-1.5 * t) + np.where(np.arange(25) == 7, 4.0, 0.0)

    def residuals(p: Any) -> Any:
        return p["a"] * cr.exp(-p["b"] * t) - y

    start = {"a": 1.0, "b": 0.5}
    found = least_squares(residuals, start, loss="soft_l1", f_scale=0.01, bounds=(0, 10))
    by_hand = optimize.least_squares(
        lambda x: x[0] * np.exp(-x[1] * t) - y,
        [1.0, 0.5],
        jac=lambda x: np.stack([np.exp(-x[1] * t), -t * x[0] * np.exp(-x[1] * t)], axis=1),
        loss="soft_l1",
        f_scale=0.01,
        bounds=(0, 10),
    )
    np.testing.assert_allclose([found.x["a"], found.x["b"]], by_hand.x, rtol=1e-9)
    assert found.result.nfev == by_hand.nfev and found.fun.shape == (25,)


def test_what_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'bfgs'"):
        minimize(valley, START, method="bfg")
    with pytest.raises(DtypeError, match="int64 of shape"):
        minimize(lambda x: x * x, np.array([1, 2]))
    with pytest.raises(ShapeError, match="holds no numbers"):
        minimize(lambda x: x, {})
    with pytest.raises(ShapeError, match="a nest like x0"):
        minimize(valley, START, bounds=({"x": 0.0}, None))
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'chainrule\[scipy\]'"):
        minimize(valley, START)
