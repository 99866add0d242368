"""Functions of the Array API standard that are made of others, against NumPy; in compiled functions the same."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ConfigurationError, DtypeError, ShapeError, TraceError

X = np.array([[3.0, 1.0, 3.0], [0.0, -2.0, 1.0]])
N = np.array([[3, 0, 1], [1, 1, -3]])
NAN = math.nan

AGAINST_NUMPY: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "cumulative_prod": (lambda x: cr.cumulative_prod(x, axis=1), lambda x: np.cumprod(x, 1)),
    "cumulative_prod with one": (
        lambda x: cr.cumulative_prod(x, axis=0, include_initial=True),
        lambda x: np.cumulative_prod(x, axis=0, include_initial=True),
    ),
    "diff": (lambda x: cr.diff(x, n=2, axis=1), lambda x: np.diff(x, 2, 1)),
    "diff with ends": (
        lambda x: cr.diff(x, axis=0, prepend=x[:1] * 2, append=0),
        lambda x: np.diff(x, axis=0, prepend=x[:1] * 2, append=0),
    ),
    "count_nonzero": (lambda x: cr.count_nonzero(x, axis=1), lambda x: np.count_nonzero(x, 1)),
    "searchsorted": (lambda x: cr.searchsorted(cr.sort(x[0]), x), lambda x: np.searchsorted(np.sort(x[0]), x)),
    "searchsorted right": (
        lambda x: cr.searchsorted(x[0], x, side="right", sorter=cr.argsort(x[0])),
        lambda x: np.searchsorted(x[0], x, "right", sorter=np.argsort(x[0])),
    ),
    "isin": (lambda x: cr.isin(x, [1, 3]), lambda x: np.isin(x, [1, 3])),
    "roll": (lambda x: cr.roll(x, (1, -2), (0, 1)), lambda x: np.roll(x, (1, -2), (0, 1))),
    "roll flat": (lambda x: cr.roll(x, 4), lambda x: np.roll(x, 4)),
    "repeat": (lambda x: cr.repeat(x, np.array([2, 0, 1]), axis=1), lambda x: np.repeat(x, [2, 0, 1], 1)),
    "tile": (lambda x: cr.tile(x, (2, 1, 3)), lambda x: np.tile(x, (2, 1, 3))),
    "moveaxis": (lambda x: cr.moveaxis(x[None], (0, 2), (2, 0)), lambda x: np.moveaxis(x[None], (0, 2), (2, 0))),
    "expand_dims": (lambda x: cr.expand_dims(x, (0, -1)), lambda x: np.expand_dims(x, (0, -1))),
    "unstack": (lambda x: cr.unstack(x, axis=1)[2], lambda x: x[:, 2]),
    "tril": (lambda x: cr.tril(x, k=-1) + cr.triu(x, k=1), lambda x: np.tril(x, -1) + np.triu(x, 1)),
    "meshgrid": (lambda x: cr.meshgrid(x[0], x[1, :2])[1], lambda x: np.meshgrid(x[0], x[1, :2])[1]),
    "meshgrid ij": (
        lambda x: cr.meshgrid(x[0], x[1, :2], x[0], indexing="ij")[1],
        lambda x: np.meshgrid(x[0], x[1, :2], x[0], indexing="ij")[1],
    ),
    "signbit": (cr.signbit, np.signbit),
    "copysign": (lambda x: cr.copysign(2.0, x[0]) * 1.0, lambda x: np.copysign(2.0, x[0])),
    "sort": (lambda x: cr.sort(x, descending=True, stable=False), lambda x: -np.sort(-x)),
}


def values(given: Any) -> Any:
    return given.numpy() if isinstance(given, cr.Tensor) else given


@pytest.mark.parametrize("name", AGAINST_NUMPY)
def test_against_numpy_eager_and_compiled(name: str) -> None:
    ours, theirs = AGAINST_NUMPY[name]
    for x in (X, N):
        expected = theirs(x)
        found = ours(cr.tensor(x))
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)
        assert found.dtype == expected.dtype or found.dtype.kind == expected.dtype.kind == "f"
    np.testing.assert_array_equal(cr.compile(ours)(X).numpy(), theirs(X))


def test_powers_of_integers_wrap_round_as_in_numpy() -> None:
    for dtype in ("int8", "uint8", "int64"):
        base = np.array([0, 1, 2, 3, 7, 100], dtype)
        exponent = np.arange(70).astype(dtype)[:, None]
        np.testing.assert_array_equal(cr.power(base, exponent).numpy(), np.power(base, exponent))
        np.testing.assert_array_equal(cr.compile(cr.pow)(base, exponent).numpy(), np.power(base, exponent))
    with pytest.raises(DtypeError, match="negative power"):
        cr.power(np.array([2]), np.array([-1]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nextafter_compiled(dtype: str) -> None:
    points = np.array([0, -0.0, 1, -1, 3, 1e-45, -1e-45, 1e30, np.inf, -np.inf, np.nan, 2]).astype(dtype)
    x, y = (each.ravel() for each in np.meshgrid(points, points))
    given = cr.compile(cr.nextafter)(x, y).numpy()
    np.testing.assert_array_equal(given, np.nextafter(x, y))
    number = ~np.isnan(given)
    np.testing.assert_array_equal(np.signbit(given[number]), np.signbit(np.nextafter(x, y)[number]))


def test_running_products_have_exact_derivatives_at_zeros() -> None:
    x = np.array([2.0, 0.0, 3.0, 0.0])
    jacobian = cr.jacobian(cr.cumulative_prod)(x).numpy()
    np.testing.assert_array_equal(jacobian, [[1, 0, 0, 0], [0, 2, 0, 0], [0, 6, 0, 0], [0, 0, 0, 0]])


# -- shapes that depend on elements


def test_sets() -> None:
    x = np.array([[3.0, 1.0, NAN], [1.0, NAN, -0.0]])
    found = cr.unique_all(x)
    expected = np.unique_all(x)
    for name in ("indices", "inverse_indices", "counts", "values"):
        np.testing.assert_array_equal(getattr(found, name).numpy(), getattr(expected, name))
    assert cr.unique_counts(x).counts.tolist() == [1, 2, 1, 1, 1]
    assert cr.unique_inverse(x).inverse_indices.shape == x.shape
    assert cr.unique_values([2, 1, 2]).tolist() == [1, 2]
    gradient = cr.grad(lambda x: (cr.unique_values(x) * cr.tensor([10.0, 20.0])).sum())(cr.tensor([5.0, 4.0, 5.0]))
    assert gradient.tolist() == [20, 10, 0]


def test_nonzero() -> None:
    for given, expected in zip(cr.nonzero(N), np.nonzero(N), strict=True):
        np.testing.assert_array_equal(given.numpy(), expected)
    with pytest.raises(ShapeError):
        cr.nonzero(3.0)


@pytest.mark.parametrize(
    "function", [cr.nonzero, cr.unique_values, lambda x: cr.repeat(x, cr.astype(cr.abs(x), "int64"))]
)
def test_a_traced_program_is_told_why_not(function: Callable[..., Any]) -> None:
    with pytest.raises(TraceError, match="depends on the elements"):
        cr.compile(function)(np.ones(3))


# -- element types and the standard's ways of asking


def test_information_about_element_types() -> None:
    assert cr.finfo(cr.tensor(1.0)).eps == 2.0**-23 and cr.finfo(cr.float64).smallest_normal == 2.0**-1022
    assert (cr.iinfo("int8").min, cr.iinfo(cr.uint64).max, cr.iinfo("int16").bits) == (-128, 2**64 - 1, 16)
    assert cr.isdtype(cr.int8, "integral") and cr.isdtype(cr.float32, ("bool", cr.float32))
    assert not cr.isdtype(cr.uint8, "signed integer")
    assert cr.result_type(cr.tensor([1], "int8"), "uint8", 3) == "int16" and cr.result_type(cr.int8, 2.5) == "float32"
    assert cr.can_cast("int8", "int32") and not cr.can_cast(cr.float64, "float32") and not cr.can_cast("int8", "uint8")
    for wrong in (lambda: cr.finfo("int8"), lambda: cr.iinfo("float32")):
        with pytest.raises(DtypeError):
            wrong()
    with pytest.raises(ConfigurationError, match="no kind"):
        cr.isdtype("int8", "whole")
    with pytest.raises(ConfigurationError, match="processor"):
        cr.zeros(2, device="gpu")


def test_the_namespace() -> None:
    x = cr.ones(2)
    assert x.__array_namespace__() is cr is x.__array_namespace__(api_version="2024.12")
    with pytest.raises(ValueError, match="2024"):
        x.__array_namespace__(api_version="1999.1")
    info = cr.__array_namespace_info__()
    assert info.default_dtypes()["real floating"] == cr.float32 and info.devices() == [info.default_device()] == ["cpu"]
    assert info.capabilities()["boolean indexing"] and x[x == x].shape == x.shape
    assert set(info.dtypes(kind="unsigned integer")) == {"uint8", "uint16", "uint32", "uint64"}
    assert x.device == "cpu" and x.to_device("cpu") is x
    with pytest.raises(ValueError, match="copy=False"):
        cr.asarray([1.0], copy=False)
    assert cr.asarray(x, copy=True) is not x
