"""Sizes, axes and numbers of the wrong kind are refused in words, and of every right kind are taken."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError, DtypeError, ShapeError

X = cr.tensor(np.arange(6.0).reshape(2, 3))


@pytest.mark.parametrize(
    "axis", [1, -1, np.int8(1), np.array(1), cr.tensor(1), cr.tensor([1]), True], ids=lambda axis: type(axis).__name__
)
def test_an_axis_is_any_integer(axis: Any) -> None:
    np.testing.assert_array_equal(cr.sum(X, axis).numpy(), [3, 12])
    np.testing.assert_array_equal(cr.argmax(X, axis).numpy(), [2, 2])
    np.testing.assert_array_equal(cr.flip(X, axis).numpy(), X.numpy()[:, ::-1])


@pytest.mark.parametrize(
    "shape", [6, [6], (6,), (-1,), np.array([6]), cr.tensor(6), (cr.tensor(6),), np.int32(6)], ids=str
)
def test_a_shape_is_an_integer_or_a_sequence_of_them(shape: Any) -> None:
    assert X.reshape(shape).shape == cr.reshape(X, shape).shape == (6,)


@pytest.mark.parametrize("shape", [2, [2], np.int64(2), cr.tensor(2)], ids=str)
def test_shapes_of_new_tensors(shape: Any) -> None:
    assert cr.zeros(shape).shape == cr.full(shape, 1.5).shape == cr.broadcast_to(1.0, shape).shape == (2,)
    assert cr.one_hot([0, 1], shape).shape == (2, 2) if not isinstance(shape, list) else True


AXES: tuple[Callable[[Any], Any], ...] = (
    *(lambda axis, f=f: f(X, axis) for f in (cr.sum, cr.mean, cr.max, cr.std, cr.logsumexp, cr.all, cr.prod)),
    *(lambda axis, f=f: f(X, axis) for f in (cr.argmax, cr.cumulative_sum, cr.sort, cr.argsort, cr.flip, cr.softmax)),
    *(lambda axis, f=f: f(X, axis) for f in (cr.squeeze, cr.expand_dims, cr.log_softmax)),
    lambda axis: cr.take(X, [0], axis),
    lambda axis: cr.concat([X, X], axis=[axis]),
    lambda axis: cr.stack([X, X], axis),
    lambda axis: cr.split(X, 1, axis),
    lambda axis: cr.roll(X, 1, axis),
    lambda axis: cr.repeat(X, 2, axis),
    lambda axis: cr.moveaxis(X, axis, 0),
    lambda axis: cr.swapaxes(X, 0, axis),
    lambda axis: cr.permute_dims(X, (axis, 0)),
    lambda axis: cr.take_along_axis(X, cr.argsort(X), axis),
    lambda axis: cr.scatter_add(X, [0], 1.0, axis),
)


@pytest.mark.parametrize("axis", [1.0, "1", 7, -4, (0.5,), object(), cr.tensor(1.0), X])
@pytest.mark.parametrize("function", AXES)
def test_no_axis(function: Callable[[Any], Any], axis: Any) -> None:
    with pytest.raises((DtypeError, ShapeError), match=r"axis|size"):
        function(axis)


@pytest.mark.parametrize(
    "call",
    [
        lambda: cr.zeros(-1),
        lambda: cr.zeros(1.5),
        lambda: cr.zeros("3"),
        lambda: cr.ones((2, -3)),
        lambda: cr.full(2, "x"),
        lambda: cr.full(2, [1, 2]),
        lambda: cr.full_like(X, X),
        lambda: cr.broadcast_to(X, (-1, 3)),
        lambda: cr.broadcast_to(1.0, -2),
        lambda: cr.tile(X, -1),
        lambda: cr.tile(X, 1.5),
        lambda: cr.repeat(X, -1),
        lambda: cr.repeat(X, 0.5),
        lambda: cr.roll(X, 0.5),
        lambda: cr.reshape(X, 2.0),
        lambda: cr.reshape(X, "x"),
        lambda: cr.reshape(X, (4, -1)),
        lambda: cr.reshape(X, (-1, -1)),
        lambda: cr.pad(X, 1),
        lambda: cr.pad(X, [1, 1]),
        lambda: cr.pad(X, [(1, 1)]),
        lambda: cr.pad(X, [(1, 1), (1,)]),
        lambda: cr.pad(X, X),
        lambda: cr.concat([]),
        lambda: cr.concat(3),
        lambda: cr.stack([]),
        lambda: cr.stack(cr.zeros(0)),
        lambda: cr.stack(None),
        lambda: cr.split(X, 0),
        lambda: cr.split(X, [1, 2], 0),
        lambda: cr.tensordot(X, X.T, 2),
        lambda: cr.tensordot(X, X, ((0, 1), (1, 0))),
        lambda: cr.tensordot(X, X, ((0, 1), (0,))),
        lambda: cr.tensordot(X, X, 3),
        lambda: cr.vecdot(X, cr.ones(1)),
        lambda: cr.vecdot(X, cr.ones(3), 0),
        lambda: cr.vecdot(X, 2.0),
        lambda: cr.grad(cr.power, (0, 0))(2.0, 3.0),
        lambda: cr.grad(cr.power, (0, -2))(2.0, 3.0),
        lambda: cr.arange(0, 3, 0),
        lambda: cr.one_hot([0], 1.5),
        lambda: cr.one_hot([0.5], 3),
        lambda: cr.one_hot([0], cr.ones(2)),
    ],
)
def test_arguments_that_are_refused_in_our_words(call: Callable[[], Any]) -> None:
    with pytest.raises(ChainruleError):
        call()


def test_rows_of_an_array_may_be_joined() -> None:
    np.testing.assert_array_equal(cr.concat(X).numpy(), np.arange(6))
    np.testing.assert_array_equal(cr.stack(X, 1).numpy(), X.numpy().T)


@pytest.mark.parametrize("function", [cr.add, cr.less, cr.matmul, cr.where, cr.full_like])
def test_numbers_too_large_for_their_type_are_infinite_without_a_warning(function: Callable[..., Any]) -> None:
    x = cr.ones(1)
    assert cr.tensor([1e40]).item() == cr.tensor(1e40, "float32").item() == np.inf
    if function is cr.where:
        assert cr.where(True, x, 1e40).tolist() == [1]
    elif function is cr.matmul:
        assert cr.matmul(x, [1e40]).item() == np.inf
    else:
        assert function(x, 1e40).item() in (np.inf, True)


@pytest.mark.parametrize("number", [300, -1, 2**70])
def test_integers_that_do_not_fit_are_refused(number: int) -> None:
    for call in (lambda: cr.full(2, number, "uint8"), lambda: cr.tensor([1], "uint8") + number):
        with pytest.raises(DtypeError, match=r"does not fit into (uint8|int64)"):
            call()


def test_comparing_with_what_is_no_array() -> None:
    x = cr.ones(2)
    assert (x == None) is False and (x != None) is True  # noqa: E711
    assert (x == "name") is False and x not in [None, "name"]
    with cr.no_grad():
        assert (x == [1, 2]).tolist() == [True, False]


def test_a_shallow_copy_is_a_tensor_of_its_own() -> None:
    x = cr.Parameter([1.0, 2.0])
    twin = copy.copy(x)
    (twin * 3).sum().backward()
    assert type(twin) is cr.Parameter and x.grad is None and twin.grad is not None
    assert twin.grad.tolist() == [3, 3]


def test_masked_arrays_are_refused() -> None:
    masked = np.ma.array([1.0, 2.0], mask=[False, True])
    for call in (lambda: cr.tensor(masked), lambda: cr.tensor(masked, "float32"), lambda: cr.ones(2) + masked):
        with pytest.raises(DtypeError, match="lose its mask"):
            call()


@pytest.mark.parametrize("number", [0.5, float("nan"), float("inf"), 300])
def test_numbers_that_an_integer_type_does_not_have_are_not_cut_off(number: float) -> None:
    for call in (lambda: cr.full(2, number, "uint8"), lambda: cr.pad(cr.tensor([1], "uint8"), [(1, 1)], number)):
        with pytest.raises(DtypeError, match=r"whole number|does not fit"):
            call()
    assert cr.pad(cr.tensor([1], "uint8"), [(1, 0)], 7.0).tolist() == [7, 1]


def test_vecdot_broadcasts_all_other_axes() -> None:
    other = np.arange(12.0).reshape(4, 1, 3)
    np.testing.assert_allclose(cr.vecdot(X, other).numpy(), (X.numpy() * other).sum(-1))
    np.testing.assert_allclose(cr.vecdot(X, X, 0).numpy(), (X.numpy() ** 2).sum(0))
    np.testing.assert_allclose(cr.vecdot(X, np.ones((5, 2, 1)), 0).numpy(), np.tile(X.numpy().sum(0), (5, 1)))


def test_python_numbers_take_the_element_type_of_the_tensor_they_are_given_to() -> None:
    x = cr.tensor(np.zeros(2), requires_grad=True)
    assert x.assign([1, 2.5]).tolist() == [1, 2.5] and x.dtype == np.float64
    (x * 2).backward([1, 10])
    assert x.grad is not None and x.grad.tolist() == [2, 20]
    with pytest.raises(DtypeError):
        cr.tensor([1, 2]).assign(["a", "b"])
    with pytest.raises(ShapeError, match="float32"):
        cr.tensor([1, 2]).assign([0.5, 1])
    assert cr.tensor([1, 2], "int8").assign([3, 4]).dtype == np.int8
    with pytest.raises(ShapeError, match="float32"):
        x.assign(np.zeros(2, np.float32))
