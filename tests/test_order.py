"""The largest elements, quantiles, numbers that are close, arrays built of others: against NumPy, also compiled."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ConfigurationError, DtypeError, OutOfRangeError, ShapeError, TraceError

NAN, INF = math.nan, math.inf
X = np.array([[3.0, 1.0, 7.0, 3.0], [0.5, -2.0, 1.0, 9.0], [4.0, 4.0, 4.0, -1.0]])
WITH_NAN = np.array([[3.0, NAN, 7.0], [1.5, -2.0, 1.0]])
SPOILT = np.array([[3.0, NAN, 7.0], [INF, -INF, 1.0]])

METHODS = ("linear", "lower", "higher", "nearest", "midpoint")
AGAINST_NUMPY: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "median": (cr.median, np.median),
    "median of an axis": (lambda x: cr.median(x, 0), lambda x: np.median(x, 0)),
    "median kept": (lambda x: cr.median(x, (0, 1), keepdims=True), lambda x: np.median(x, (0, 1), keepdims=True)),
    "quantiles kept": (
        lambda x: cr.quantile(x, [[0.0, 0.31], [0.5, 1.0]], axis=1, keepdims=True),
        lambda x: np.quantile(x, [[0.0, 0.31], [0.5, 1.0]], axis=1, keepdims=True),
    ),
    **{
        f"quantile {method}": (
            lambda x, method=method: cr.quantile(x, [0.2, 1 / 3, 0.9], 1, method=method),
            lambda x, method=method: np.quantile(x, [0.2, 1 / 3, 0.9], 1, method=method),
        )
        for method in METHODS
    },
    "nan_to_num": (lambda x: cr.nan_to_num(x, 2.5, neginf=-7.0), lambda x: np.nan_to_num(x, nan=2.5, neginf=-7.0)),
    "isclose": (
        lambda x: (
            cr.isclose(x, [[3.00001, 1, NAN], [INF, 1, 1 + 1e-9]][: len(x)], equal_nan=True)
            if x.shape[1] == 3
            else cr.isclose(x, 3.00001)
        ),
        lambda x: (
            np.isclose(x, [[3.00001, 1, NAN], [INF, 1, 1 + 1e-9]], equal_nan=True)
            if x.shape[1] == 3
            else np.isclose(x, 3.00001)
        ),
    ),
    "diag": (lambda x: cr.diag(x[0]) + cr.diag(x[0, 1:], 1) + cr.diag(x[0, :-1], -1), lambda x: _tridiagonal(x[0])),
    "diagonals": (
        lambda x: cr.concat([cr.diag(x), cr.diag(x, 1), cr.diag(x, -1), cr.diag(x, 9)]),
        lambda x: np.concatenate([np.diag(x), np.diag(x, 1), np.diag(x, -1)]),
    ),
    "kron": (lambda x: cr.kron(x, x[0]), lambda x: np.kron(x, x[0])),
    "interp": (
        lambda x: cr.interp(x, [-1.0, 0.0, 0.0, 2.0, 4.0], [5.0, 1.0, 2.0, -1.0, 3.0], right=8.0),
        lambda x: np.interp(x, [-1.0, 0.0, 0.0, 2.0, 4.0], [5.0, 1.0, 2.0, -1.0, 3.0], right=8.0),
    ),
    "xlogy": (
        lambda x: cr.xlogy([[0.0], [2.0]], x[:1] * 0 + [[0.0], [3.0]]),
        lambda x: np.array([0 * x[0] ** 0, 2 * np.log(3.0) + 0 * x[0]]),
    ),
}


def _tridiagonal(v: Any) -> Any:
    return np.diag(v) + np.diag(v[1:], 1) + np.diag(v[:-1], -1)


@pytest.mark.parametrize("name", AGAINST_NUMPY)
def test_against_numpy(name: str) -> None:
    ours, theirs = AGAINST_NUMPY[name]
    for x in (X, WITH_NAN, *([] if "quantile" in name else [SPOILT])):  # NumPy interpolates infinities in its own way
        with np.errstate(invalid="ignore"):
            expected = theirs(x)
        for found in (ours(cr.tensor(x)), cr.compile(ours)(x)):
            np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)


def test_topk() -> None:
    x = cr.tensor([[3.0, 1.0, 3.0, 2.0], [NAN, 5.0, -INF, 4.0]])
    values, indices = cr.topk(x, 2)
    np.testing.assert_array_equal(values.numpy(), [[3, 3], [NAN, 5]])
    assert indices.tolist() == [[0, 2], [0, 1]] and indices.dtype == np.int64
    assert cr.topk(x, 3, largest=False).indices.tolist() == [[1, 3, 0], [2, 3, 1]]
    assert cr.topk(x, 1, axis=0).indices.tolist() == [[1, 1, 0, 1]]
    assert cr.topk(x, 0).values.shape == (2, 0)
    np.testing.assert_array_equal(cr.compile(lambda x: cr.topk(x, 2).indices)(x).numpy(), indices.numpy())
    gradient = cr.grad(lambda x: (cr.topk(x, 2).values * cr.tensor([10.0, 1.0])).sum())(cr.tensor([1.0, 5.0, 3.0]))
    assert gradient.tolist() == [0, 10, 1]
    with pytest.raises(ShapeError, match="k from 0 to 4, not 5"):
        cr.topk(x, 5)


def test_equal_infinities_have_a_middle() -> None:
    for x in ([1.0, INF, INF, INF], [-INF, -INF, -INF, 2.0]):
        for function in (cr.median, cr.compile(cr.median)):
            assert function(cr.tensor(x)).item() == np.median(x)
    assert math.isnan(cr.median([-INF, INF]).item())
    assert cr.grad(cr.median)(cr.tensor([2.0, 2.0])).tolist() == [
        0.5,
        0.5,
    ]  # also where both are equal


def test_gradients_go_where_the_elements_came_from() -> None:
    assert cr.grad(cr.median)(cr.tensor([4.0, 1.0, 3.0, 9.0])).tolist() == [0.5, 0, 0.5, 0]
    assert cr.grad(lambda x: cr.quantile(x, 0.25))(cr.tensor([4.0, 1.0, 2.0])).tolist() == [0, 0.5, 0.5]
    assert cr.grad(lambda x: cr.sum(cr.nan_to_num(x) * 3))(cr.tensor([NAN, 1.0, INF])).tolist() == [0, 3, 0]
    assert cr.grad(lambda x: cr.sum(cr.diag(x, 1) * cr.diag(x, -1)))(cr.tensor([[1.0, 2.0], [3.0, 4.0]])).tolist() == [
        [0, 3],
        [2, 0],
    ]
    for wanted, name in ((0, "x"), (1, "xp"), (2, "fp")):
        given = [np.array([0.3, 1.7, 2.5]), np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 2.0])]
        gradient = cr.grad(lambda *each: cr.sum(cr.interp(*each)), argnums=wanted)(*map(cr.tensor, given)).numpy()
        for place in range(3):
            moved = [[np.array(each) for each in given] for _ in range(2)]
            for sign, each in zip((1, -1), moved):
                each[wanted][place] += sign * 1e-6
            slope = (np.interp(*moved[0]).sum() - np.interp(*moved[1]).sum()) / 2e-6
            assert gradient[place] == pytest.approx(slope, abs=1e-8), name
    assert cr.grad(lambda x: cr.xlogy(x, 0.0))(0.5).item() == -INF
    assert cr.grad(lambda y: cr.xlogy(0.0, y))(0.0).item() == 0


def test_bincount() -> None:
    x = np.array([3, 0, 3, 1])
    assert cr.bincount(x).tolist() == np.bincount(x).tolist()
    assert cr.bincount(x, minlength=6).tolist() == np.bincount(x, minlength=6).tolist()
    assert cr.compile(lambda x: cr.bincount(x, length=5))(x).tolist() == [1, 1, 0, 2, 0]
    gradient = cr.grad(lambda w: cr.sum(cr.bincount(x, w) * cr.tensor([1.0, 2.0, 3.0, 4.0])))(cr.ones(4))
    assert gradient.tolist() == [4, 1, 4, 2]
    for function in (lambda x: cr.bincount(x, length=3), cr.compile(lambda x: cr.bincount(x, length=3))):
        for wrong in (-1, 3):
            with pytest.raises(OutOfRangeError):
                function(np.array([0, wrong]))
    with pytest.raises(OutOfRangeError):
        cr.bincount([2, -1])
    with pytest.raises(TraceError, match="length="):
        cr.compile(cr.bincount)(x)
    with pytest.raises(DtypeError, match="integers"):
        cr.bincount([1.5])


def test_what_can_not_be() -> None:
    with pytest.raises(ConfigurationError, match="between 0 and 1"):
        cr.quantile(X, 1.5)
    with pytest.raises(ConfigurationError, match="linear, lower"):
        cr.quantile(X, 0.5, method="closest")
    with pytest.raises(ShapeError, match="nothing to choose"):
        cr.median(cr.zeros((2, 0)), 1)
    with pytest.raises(ShapeError, match="vector or a matrix"):
        cr.diag(1.0)
    with pytest.raises(ShapeError, match="one length"):
        cr.interp(1.0, [1.0, 2.0], [1.0])
    assert cr.allclose(X, X + 1e-9).item() is True and cr.allclose(X, X + 1).item() is False
