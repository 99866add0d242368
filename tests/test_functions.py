"""Public functions against NumPy: values and element types, arguments, and messages for what does not fit."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError, DtypeError, OutOfRangeError, ShapeError
from chainrule.ir.types import DTYPES

RANDOM = np.random.default_rng(1)
X = RANDOM.normal(size=(2, 3, 4))
INF, NAN = math.inf, math.nan


def same(given: Any, expected: Any, dtype: Any = None) -> None:
    expected = np.asarray(expected)
    assert given.shape == expected.shape and given.dtype == (dtype or expected.dtype)
    np.testing.assert_allclose(given.numpy(), expected, rtol=1e-13 if given.dtype == np.float64 else 1e-6)


# -- creation


def test_creation() -> None:
    same(cr.zeros((2, 0)), np.zeros((2, 0), np.float32))
    same(cr.ones(3, dtype=cr.int8), np.ones(3, np.int8))
    same(cr.full((2,), 7), np.full(2, 7))
    same(cr.full((2,), 7.5), np.full(2, 7.5, np.float32))
    same(cr.full((), True), np.array(True))
    same(cr.full_like(X, 2), np.full_like(X, 2))
    same(cr.zeros_like([1, 2]), np.zeros(2, np.int64))
    same(cr.ones_like(X, dtype=cr.bool), np.ones(X.shape, bool))
    same(cr.arange(5), np.arange(5))
    same(cr.arange(2, 9, 3), np.arange(2, 9, 3))
    same(cr.arange(0, 1, 0.25), np.arange(0, 1, 0.25, np.float32))
    same(cr.arange(3, dtype=cr.float64), np.arange(3.0))
    same(cr.linspace(-1, 1, 5), np.linspace(-1, 1, 5, dtype=np.float32))
    same(cr.linspace(0, 1, 4, endpoint=False, dtype=cr.float64), np.linspace(0, 1, 4, endpoint=False))
    same(cr.eye(2, 3, 1), np.eye(2, 3, 1, np.float32))


def test_wrong_creation() -> None:
    for wrong in (lambda: cr.zeros((-1,)), lambda: cr.ones((2, -3))):
        with pytest.raises(ShapeError, match="negative"):
            wrong()
    for wrong in (lambda: cr.zeros(2, dtype="float16"), lambda: cr.zeros(2, dtype="nonsense")):
        with pytest.raises(DtypeError, match="known"):
            wrong()


def test_negative_zero_is_kept() -> None:
    assert math.copysign(1, cr.full((), -0.0).item()) == -1 and math.copysign(1, cr.full((), 0.0).item()) == 1
    assert math.copysign(1, (cr.tensor(-0.0) * 1.0).item()) == -1


# -- every element type


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_movements_keep_every_element_type(dtype: Any) -> None:
    x = (np.arange(6).reshape(2, 3) % 2).astype(dtype)
    for given, expected in (
        (cr.reshape(x, (3, -1)), x.reshape(3, -1)),
        (cr.concat([x, x], axis=1), np.concatenate([x, x], 1)),
        (cr.stack([x, x]), np.stack([x, x])),
        (cr.flip(x), np.flip(x)),
        (cr.roll(x, 1), np.roll(x, 1)),
        (cr.pad(x, [(1, 0), (0, 2)]), np.pad(x, [(1, 0), (0, 2)])),
        (cr.tile(x, 2), np.tile(x, 2)),
        (cr.repeat(x, 2, 0), np.repeat(x, 2, 0)),
        (cr.take(x, [1, 1], 0), x[[1, 1]]),
        (cr.sort(x), np.sort(x)),
        (cr.where(x == 1, x, x), x),
        (cr.matrix_transpose(x), x.T),
        (cr.tril(x), np.tril(x)),
        (cr.broadcast_to(x, (2, 2, 3)), np.broadcast_to(x, (2, 2, 3))),
    ):
        same(given, expected)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_reductions_of_every_element_type(dtype: Any) -> None:
    x = (np.arange(6).reshape(2, 3) % 2).astype(dtype)
    total = np.sum(x, 0)
    same(cr.sum(x, 0), total.astype(x.dtype) if x.dtype.kind == "f" else total)
    same(cr.mean(x), np.mean(x, dtype=np.float64), cr.float64 if x.dtype == np.float64 else cr.float32)
    same(cr.argmax(x, 1), np.argmax(x, 1))
    same(cr.argsort(x, 1), np.argsort(x, 1, kind="stable"))
    same(cr.any(x), np.any(x))
    same(cr.all(x, 1), np.all(x, 1))
    if x.dtype != bool:
        same(cr.max(x, 1), np.max(x, 1))
        same(
            cr.cumulative_sum(x, 1),
            np.cumsum(x, 1).astype(x.dtype if x.dtype.kind == "f" else None or np.cumsum(x, 1).dtype),
        )


def test_small_integers_do_not_overflow_in_sums() -> None:
    same(cr.sum(np.full(300, 100, np.int8)), 30_000)
    same(cr.sum(np.full(300, 100, np.uint8)), np.uint64(30_000))
    same(cr.sum(np.full(3, True)), 3)
    same(cr.sum(np.ones(3, np.float32), dtype=cr.float64), 3.0)


@pytest.mark.parametrize("name", ["floor", "ceil", "round", "trunc"])
def test_rounding_leaves_integers_alone(name: str) -> None:
    large = 2**53 + 1
    assert getattr(cr, name)(cr.tensor([large])).tolist() == [large]
    same(getattr(cr, name)([-1.5, 0.5, 1.5, 2.5]), getattr(np, name)(np.array([-1.5, 0.5, 1.5, 2.5], np.float32)))


def test_division_of_integers_is_in_floats_and_whole_division_is_not() -> None:
    x, y = np.array([7, -7, 7, -7]), np.array([2, 2, -2, -2])
    same(cr.divide(x, y), (x / y).astype(np.float32))
    same(cr.floor_divide(x, y), x // y)
    same(cr.remainder(x, y), x % y)
    same(cr.floor_divide([1, 0], [0, 0]), np.array([0, 0]))


def test_powers() -> None:
    x = np.array([2, 3])
    same(cr.power(x, 3), x**3)
    same(cr.power(x, 0), x**0)
    same(cr.power(2.0, cr.tensor([1.0, -1.0])), np.array([2, 0.5], np.float32))
    same(cr.tensor(X) ** 2, X**2)
    same(cr.tensor(X) ** -3, X**-3.0)
    same(abs(cr.tensor(X)) ** 0.3, np.abs(X) ** 0.3)
    same(cr.power(x, 2.0), (x**2).astype(np.float32))
    same(cr.power(x, np.array([3, 2])), np.array([8, 9]))
    same(cr.power(2, 10), np.array(1024))
    with pytest.raises(DtypeError, match="no integer"):
        cr.power(x, -1)


# -- shape functions with odd arguments


def test_shapes_against_numpy() -> None:
    same(cr.moveaxis(X, -1, 0), np.moveaxis(X, -1, 0))
    same(cr.swapaxes(X, 0, -1), np.swapaxes(X, 0, -1))
    same(cr.expand_dims(X, -1), np.expand_dims(X, -1))
    same(cr.squeeze(X[:1, :, :1], (0, -1)), X[0, :, 0])
    same(cr.flip(X, (0, -1)), np.flip(X, (0, -1)))
    for shift in (-7, -1, 0, 2, 24):
        same(cr.roll(X, shift, 1), np.roll(X, shift, 1))
        same(cr.roll(X, shift), np.roll(X, shift))
    same(cr.concat([X, 2 * X], axis=None), np.concatenate([X, 2 * X], axis=None))
    same(cr.concat([np.ones(2, np.int8), np.ones(1, np.float32)]), np.ones(3, np.float32))
    same(cr.tile(X, (2, 1, 1, 2)), np.tile(X, (2, 1, 1, 2)))
    same(cr.tile(X, 0), np.tile(X, 0))
    same(cr.repeat(X, 0, 1), np.repeat(X, 0, 1))
    same(cr.flatten(X, 1, 2), X.reshape(2, 12))
    same(cr.reshape(np.zeros((0, 3)), (0, 7)), np.zeros((0, 7)))
    same(cr.pad(X, [(0, 1), (2, 0), (0, 0)], value=NAN), np.pad(X, [(0, 1), (2, 0), (0, 0)], constant_values=NAN))
    for part, expected in zip(cr.split(X, [1, 0, 2], axis=1), np.split(X, [1, 1], axis=1), strict=True):
        same(part, expected)
    assert [part.shape for part in cr.split(X, 3, axis=-1)] == [(2, 3, 3), (2, 3, 1)]
    same(cr.triu(X, -1), np.triu(X, -1))
    same(cr.outer([1, 2], [3.0, 4.0]), np.outer([1, 2], [3.0, 4.0]).astype(np.float32))


WRONG: list[tuple[Callable[[], Any], type[Exception]]] = [
    (lambda: cr.reshape(X, (5, -1)), ShapeError),
    (lambda: cr.reshape(X, (-1, -1)), ShapeError),
    (lambda: cr.reshape(np.zeros(0), (0, -1)), ShapeError),
    (lambda: cr.reshape(np.zeros(0), (-2, 0)), ShapeError),
    (lambda: cr.reshape(X, (2, 3)), ShapeError),
    (lambda: cr.permute_dims(X, (0, 1)), ShapeError),
    (lambda: cr.permute_dims(X, (0, 1, 1)), ShapeError),
    (lambda: cr.sum(X, 3), ShapeError),
    (lambda: cr.sum(X, (0, 0)), ShapeError),
    (lambda: cr.max(np.zeros((0, 3)), 0), ShapeError),
    (lambda: cr.argmax(np.zeros(0)), ShapeError),
    (lambda: cr.squeeze(X, 0), ShapeError),
    (lambda: cr.expand_dims(X, 5), ShapeError),
    (lambda: cr.concat([]), ShapeError),
    (lambda: cr.concat([X, X[0]]), ShapeError),
    (lambda: cr.concat([X, X[:, :2]], axis=0), ShapeError),
    (lambda: cr.concat([np.float64(1), np.float64(2)]), ShapeError),
    (lambda: cr.stack([]), ShapeError),
    (lambda: cr.stack([X, X[0]]), ShapeError),
    (lambda: cr.split(X, [1, 1], axis=1), ShapeError),
    (lambda: cr.split(X, 0), ShapeError),
    (lambda: cr.split(X, [5, -2], axis=1), ShapeError),
    (lambda: cr.pad(X, [(1, 1)]), ShapeError),
    (lambda: cr.pad(X, [(-3, 0), (0, 0), (0, 0)]), ShapeError),
    (lambda: cr.broadcast_to(X, (3, 4)), ShapeError),
    (lambda: cr.tril([1, 2]), ShapeError),
    (lambda: cr.outer(X, X), ShapeError),
    (lambda: cr.matmul(X, X), ShapeError),
    (lambda: cr.matmul(2.0, X), ShapeError),
    (lambda: cr.matmul([1.0, 2.0], [1.0]), ShapeError),
    (lambda: cr.tensordot(X, X, 1), ShapeError),
    (lambda: cr.cumulative_sum(X), ShapeError),
    (lambda: cr.take(X, [0]), ShapeError),
    (lambda: cr.take(X, [2], axis=0), OutOfRangeError),
    (lambda: cr.take(X, [0.5], axis=0), DtypeError),
    (lambda: cr.scatter_add(X, [7], X[:1]), OutOfRangeError),
    (lambda: cr.scatter_add(X, [0, 1, 0], X), ShapeError),
    (lambda: cr.take_along_axis(X, np.zeros((1, 1), int), 0), ShapeError),
    (lambda: cr.one_hot([0.5], 3), DtypeError),
    (lambda: cr.bitwise_and(X, X), DtypeError),
    (lambda: cr.negative([True]), DtypeError),
    (lambda: cr.max([True, False]), DtypeError),
    (lambda: cr.exp(["text"]), DtypeError),
    (lambda: cr.add(X, None), ChainruleError),
]


@pytest.mark.parametrize("number", range(len(WRONG)))
def test_what_does_not_fit_is_an_error_of_ours_that_names_this_file(number: int) -> None:
    wrong, kind = WRONG[number]
    with pytest.raises(kind) as caught:
        wrong()
    assert isinstance(caught.value, ChainruleError) and "test_functions.py" in str(caught.value)


# -- functions with promises of their own


def test_clip() -> None:
    x = np.array([-2.0, NAN, 0.5, 3.0])
    same(cr.clip(x, -1, 1), np.clip(x, -1, 1))
    same(cr.clip(x, min=0), np.clip(x, 0, None))
    same(cr.clip(np.array([1, 5, 9]), 2, 6), np.array([2, 5, 6]))
    assert cr.grad(lambda x, low: cr.clip(x, low, 1.0).sum(), argnums=1)(x, np.zeros(4)).tolist() == [1, 0, 0, 0]


def test_one_hot_of_small_element_types() -> None:
    same(cr.one_hot(np.array([1, 255], np.uint8), 300), np.eye(300, dtype=np.float32)[[1, 255]])
    same(cr.one_hot(np.array([-1, 3]), 3), np.zeros((2, 3), np.float32))


def test_extremes_share_and_propagate_nan() -> None:
    assert cr.grad(lambda x: cr.max(x))(np.array([1.0, 3.0, 3.0])).tolist() == [0, 0.5, 0.5]
    assert math.isnan(cr.max([1.0, NAN]).item()) and math.isnan(cr.maximum(1.0, NAN).item())
    assert cr.argmax([1.0, NAN, 5.0]).item() == 1


def test_stable_sorting_both_ways() -> None:
    x = np.array([2.0, 1.0, 2.0, NAN, 1.0, -INF])
    assert cr.argsort(x).tolist() == [5, 1, 4, 0, 2, 3]
    assert cr.argsort(x, descending=True).tolist() == [3, 0, 2, 1, 4, 5]


def test_logsumexp_and_softmax_at_the_edges() -> None:
    assert cr.logsumexp(np.array([-INF, -INF])).item() == -INF and cr.logsumexp(np.zeros(0)).item() == -INF
    assert cr.logsumexp(np.array([1e308, 1e308])).item() == 1e308 and cr.logsumexp(np.array([INF, 0.0])).item() == INF
    same(cr.softmax(np.array([1e308, -1e308])), np.array([1.0, 0.0]))
    assert cr.softmax(np.zeros((2, 0))).shape == (2, 0)
    same(cr.log_softmax(np.array([0.0, -1e4])), np.array([0.0, -1e4]))


def test_deviation_of_equal_numbers_has_gradient_zero_to_second_order() -> None:
    assert cr.grad(cr.std)(np.full(3, 2.0)).tolist() == [0, 0, 0]
    assert np.array_equal(cr.hessian(cr.std)(np.full(3, 2.0)).numpy(), np.zeros((3, 3)))
    assert math.isnan(cr.std(np.array([NAN, 1.0])).item()) and math.isnan(cr.var(np.ones(1), correction=1).item())


def test_product_by_halves_has_exact_derivatives_at_zeros() -> None:
    assert cr.grad(cr.prod)(np.array([0.0, 2.0, 3.0])).tolist() == [6, 0, 0]
    assert cr.hessian(cr.prod)(np.array([0.0, 0.0, 3.0])).tolist() == [[0, 3, 0], [3, 0, 0], [0, 0, 0]]


def test_lists_and_scalars_are_lifted() -> None:
    same(cr.add([1, 2], 0.5), np.array([1.5, 2.5], np.float32))
    same(cr.maximum(1, 2.5), np.float32(2.5))
    same(cr.where([True, False], 1, 2.5), np.array([1, 2.5], np.float32))
    same(cr.sin(0), np.float32(0))


def test_every_public_function_says_what_it_does() -> None:
    for name in cr.functions.__all__:
        function = getattr(cr, name)
        assert function.__doc__ and function.__name__ == name, name
    assert {"np", "Any", "Sequence"} & set(cr.functions.__all__) == set()
    assert len(cr.functions.__all__) > 130


def test_add_along_axis_adds_repeated_indices_and_carries_gradients_to_both() -> None:
    start, places = np.arange(6.0).reshape(2, 3), np.array([[0, 0], [2, 1]])
    updates = np.array([[1.0, 2.0], [3.0, 4.0]])
    expected = start.copy()
    np.add.at(expected, (np.array([[0], [1]]), places), updates)
    np.testing.assert_array_equal(cr.add_along_axis(start, places, updates, axis=1).numpy(), expected)
    weights = np.array([[1.0, 10.0, 100.0], [2.0, 20.0, 200.0]])
    by_start, by_updates = cr.grad(lambda x, u: cr.sum(cr.add_along_axis(x, places, u, 1) * weights), (0, 1))(
        start, updates
    )
    np.testing.assert_array_equal(by_start.numpy(), weights)
    np.testing.assert_array_equal(by_updates.numpy(), np.take_along_axis(weights, places, 1))
