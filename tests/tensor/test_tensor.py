"""Tensor: contents, element types, what Python sees, gradients that collect, memory, threads."""

from __future__ import annotations

import copy
import gc
import math
import operator
import pickle
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import DtypeError, GradientError, OutOfRangeError, ShapeError, TraceError

# -- contents


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (1.5, "float32"),
        (2, "int64"),
        (True, "bool"),
        ([1.0, 2], "float32"),
        ([[1, 2], [3, 4]], "int64"),
        ([], "float32"),
        ([True, False], "bool"),
        (np.float64(1.5), "float64"),
        (np.float32(1.5), "float32"),
        (np.int8(3), "int8"),
        ([np.float64(1.0), np.float64(2.0)], "float64"),
        (np.zeros(2), "float64"),
        (np.zeros(2, np.uint8), "uint8"),
        (np.zeros(2, ">f8"), "float64"),
        (range(3), "int64"),
    ],
)
def test_element_types_of_new_tensors(data: Any, dtype: str) -> None:
    assert cr.tensor(data).dtype == dtype
    np.testing.assert_array_equal(cr.tensor(data).numpy(), np.asarray(data))


def test_a_tensor_is_a_copy() -> None:
    array = np.ones(3)
    x = cr.tensor(array)
    array[0] = 9
    assert x.tolist() == [1, 1, 1]
    y = x + array
    array[1] = 9
    assert y.tolist() == [10, 2, 2]


def test_numpy_is_a_read_only_view_without_a_copy() -> None:
    x = cr.tensor([1.0, 2.0])
    view = x.numpy()
    assert np.shares_memory(view, x.numpy())
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 5
    assert np.array(x).flags.writeable and not np.shares_memory(np.array(x), view)
    assert np.asarray(x, np.float64).dtype == np.float64


@pytest.mark.parametrize("data", ["text", np.zeros(2, "M8[s]"), np.zeros(2, np.float16), [None], object()])
def test_unsupported_element_types_say_what_is_known(data: Any) -> None:
    with pytest.raises(DtypeError, match="known:"):
        cr.tensor(data)


@pytest.mark.parametrize(("data", "dtype"), [("x", "float32"), (300, "uint8"), ([-1], "uint64"), (None, "int32")])
def test_data_that_does_not_fit_the_element_type(data: Any, dtype: str) -> None:
    with pytest.raises(DtypeError):
        cr.tensor(data, dtype=dtype)


def test_ragged_lists() -> None:
    with pytest.raises(ShapeError, match="equal lengths"):
        cr.tensor([[1, 2], [3]])


def test_a_list_of_tracked_tensors_is_refused() -> None:
    x = cr.tensor(1.0, requires_grad=True)
    with pytest.raises(GradientError, match="stack"):
        cr.tensor([x, x])
    assert cr.tensor([x.detach(), x.detach()]).tolist() == [1.0, 1.0]


def test_properties() -> None:
    x = cr.zeros((2, 3))
    assert (x.shape, x.ndim, x.size, x.nbytes, x.dtype) == ((2, 3), 2, 6, 24, np.float32)
    assert (
        x.T.shape == (3, 2) and cr.zeros((4, 2, 3)).mT.shape == (4, 3, 2) and cr.zeros((4, 2, 3)).T.shape == (3, 2, 4)
    )
    assert x.is_leaf and not x.is_traced and not x.requires_grad


def test_assign_replaces_and_checks() -> None:
    x = cr.tensor([1.0, 2.0], requires_grad=True)
    y = x * 1.0
    x.assign(cr.tensor([3.0, 4.0]))
    assert x.tolist() == [3, 4] and y.tolist() == [1, 2] and x.requires_grad
    for wrong in (np.zeros(3, np.float32), np.zeros(2), cr.zeros((1, 2))):
        with pytest.raises(ShapeError, match="assign"):
            x.assign(wrong)
    with pytest.raises(GradientError, match="nothing computed"):
        y.assign(x)
    x.data = np.array([5, 6], np.float32)
    assert x.data.tolist() == [5, 6] and not x.data.requires_grad


def test_assign_between_forward_and_backward_does_not_disturb() -> None:
    x = cr.tensor([2.0], requires_grad=True)
    loss = (x * x).sum()
    x.assign(np.array([100.0], np.float32))
    loss.backward()
    assert x.grad is not None and x.grad.tolist() == [4.0]


def test_asarray_returns_the_same_tensor() -> None:
    x = cr.tensor([1.0])
    assert cr.asarray(x) is x and cr.asarray(x, cr.float32) is x
    assert cr.asarray(x, cr.float64).dtype == cr.float64


# -- mixed operands


F32, F64 = cr.tensor([1.0, 2.0]), cr.tensor([1.0, 2.0], dtype=cr.float64)
I64, U8, BOOL = cr.tensor([1, 2]), cr.tensor([1, 2], dtype=cr.uint8), cr.tensor([True, False])
MIXED: list[tuple[Any, Any, str]] = [
    (F32, 2.5, "float32"),
    (F32, 2, "float32"),
    (F32, True, "float32"),
    (F64, 2.5, "float64"),
    (I64, 2, "int64"),
    (I64, 2.5, "float32"),
    (U8, 2, "uint8"),
    (BOOL, 2, "int64"),
    (F32, F64, "float64"),
    (F32, I64, "float32"),
    (F64, U8, "float64"),
    (I64, U8, "int64"),
    (U8, BOOL, "uint8"),
    (F32, np.ones(2), "float64"),
    (F32, np.ones(2, np.float32), "float32"),
    (F32, np.float64(2.0), "float64"),  # NumPy's scalars are strong, as in NumPy itself
    (F32, np.float32(2.0), "float32"),
    (F64, np.float32(2.0), "float64"),
    (I64, np.int8(2), "int64"),
    (F32, [1.0, 2.0], "float32"),
]


@pytest.mark.parametrize(("x", "y", "dtype"), MIXED)
def test_promotion_both_ways_round(x: Any, y: Any, dtype: str) -> None:
    for first, second in ((x, y), (y, x)):
        result = first * second
        assert isinstance(result, cr.Tensor) and result.dtype == dtype
        assert np.allclose(result.numpy(), np.asarray(first) * np.asarray(second))


def test_no_common_integer_type() -> None:
    with pytest.raises(DtypeError, match="no common integer type"):
        cr.tensor([1], dtype=cr.uint64) + cr.tensor([1])


def test_python_integers_that_do_not_fit() -> None:
    with pytest.raises(DtypeError, match="300 does not fit into uint8"):
        U8 + 300
    with pytest.raises(DtypeError, match="-1 does not fit"):
        U8 * -1
    with pytest.raises(DtypeError, match="does not fit"):
        cr.full(2, 256, dtype=cr.uint8)


OPERATORS: list[Callable[[Any, Any], Any]] = [
    *(operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow),
    *(operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne),
]


@pytest.mark.parametrize("function", OPERATORS, ids=lambda each: each.__name__)
def test_operators_are_numpys(function: Callable[[Any, Any], Any]) -> None:
    x, y = np.array([[1.5, -2.0, 0.5]]), np.array([[2.0], [-3.0]])
    for first, second in ((x, y), (x, 2.0), (2.0, y), (x, 3)):
        with np.errstate(all="ignore"):
            expected = function(first, second)
        lifted = [cr.tensor(each) if isinstance(each, np.ndarray) else each for each in (first, second)]
        np.testing.assert_allclose(function(*lifted).numpy(), expected, rtol=1e-15)
        if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
            np.testing.assert_allclose(function(first, lifted[1]).numpy(), expected, rtol=1e-15)


@pytest.mark.parametrize("function", [operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift])
def test_bit_operators(function: Callable[[Any, Any], Any]) -> None:
    x, y = np.array([6, 3]), np.array([1, 2])
    np.testing.assert_array_equal(function(cr.tensor(x), cr.tensor(y)).numpy(), function(x, y))
    assert (~cr.tensor([True, False])).tolist() == [False, True] and (-F32).tolist() == [-1, -2] and (+F32) is F32


# -- what Python sees


def test_numbers() -> None:
    assert float(cr.tensor(2.5)) == 2.5 and int(cr.tensor([3])) == 3 and [10, 20, 30][cr.tensor(1)] == 20
    assert bool(cr.tensor(1)) and not cr.tensor(0.0)
    assert f"{cr.tensor(1.23456):.2f}" == "1.23"
    with pytest.raises(DtypeError, match="index"):
        [1, 2][cr.tensor(1.0)]  # type: ignore[call-overload]
    with pytest.raises(ShapeError, match="one element"):
        F32.item()
    with pytest.raises(ShapeError, match="any"):
        bool(F32)


def test_iteration_length_membership() -> None:
    x = cr.tensor([[1, 2], [3, 4]])
    assert [row.tolist() for row in x] == [[1, 2], [3, 4]] and len(x) == 2 and 3 in x and 9 not in x
    for ask in (len, iter, list):
        with pytest.raises(ShapeError):
            ask(cr.tensor(1.0))  # type: ignore[operator]


def test_tensors_can_be_keys_though_equality_is_elementwise() -> None:
    assert {F32: 1}[F32] == 1 and (F32 == F32).tolist() == [True, True]


def test_repr() -> None:
    assert repr(cr.tensor([1.0, 2.0])) == "tensor([1., 2.])"
    assert (
        repr(cr.tensor([1.0], dtype=cr.float64, requires_grad=True))
        == "tensor([1.], dtype=float64, requires_grad=True)"
    )


def test_deepcopy_and_pickle() -> None:
    x = cr.Parameter([1.0, 2.0])
    x.sum().backward()
    twin = copy.deepcopy([x, x])
    assert twin[0] is twin[1] and isinstance(twin[0], cr.Parameter) and twin[0].grad is not None
    twin[0].assign(np.zeros(2, np.float32))
    assert x.tolist() == [1, 2]
    with pytest.raises(TypeError, match="safetensors"):
        pickle.dumps(x)


# -- gradients that collect


def test_backward_twice_adds_up() -> None:
    x = cr.tensor([1.0, 2.0], requires_grad=True)
    loss = (x * x).sum()
    loss.backward()
    loss.backward()
    assert x.grad is not None and x.grad.tolist() == [4, 8]
    x.zero_grad()
    assert x.grad is None


@pytest.mark.parametrize("gradient", [cr.tensor([1.0, 10.0]), np.array([1, 10], np.float32), [1.0, 10.0]])
def test_backward_from_a_vector_takes_a_cotangent_of_any_kind(gradient: Any) -> None:
    x = cr.tensor([3.0, 4.0], requires_grad=True)
    (x * x).backward(gradient)
    assert x.grad is not None and x.grad.tolist() == [6, 80]


def test_backward_says_what_is_wrong() -> None:
    x = cr.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(GradientError, match="single number"):
        (x * x).backward()
    with pytest.raises(ShapeError, match="cotangent"):
        (x * x).backward(np.ones(3, np.float32))
    with pytest.raises(GradientError, match="requires_grad"):
        cr.tensor(1.0).backward()
    with cr.no_grad():
        loss = (x * x).sum()
    with pytest.raises(GradientError, match="no_grad"):
        loss.backward()


def test_gradients_of_gradients_by_create_graph() -> None:
    x = cr.tensor(3.0, requires_grad=True)
    (x**3).backward(create_graph=True)
    assert x.grad is not None and x.grad.requires_grad
    first, x.grad = x.grad, None
    first.backward()
    assert x.grad is not None and x.grad.item() == 18 and not x.grad.requires_grad


def test_what_requires_a_gradient() -> None:
    with pytest.raises(DtypeError, match="only floats"):
        cr.tensor([1], requires_grad=True)
    x = cr.tensor([1.0]).requires_grad_()
    assert (x * 2).requires_grad and not (x * 2).detach().requires_grad and (x * 2).clone().requires_grad
    assert not (x > 0).requires_grad and not x.astype(cr.int64).requires_grad
    with pytest.raises(GradientError, match="nothing computed"):
        (x * 2).requires_grad = False
    x.requires_grad = False
    assert not (x * 2).requires_grad


def test_leaves_shared_and_used_many_times() -> None:
    x = cr.tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    total = sum(((y * k).sum() for k in range(200)), cr.tensor(0.0))
    total.backward()
    assert x.grad is not None and np.allclose(x.grad.numpy(), 2 * x.numpy() * sum(range(200)))


def test_a_loss_that_is_the_parameter_itself() -> None:
    x = cr.tensor(2.0, requires_grad=True)
    x.backward()
    assert x.grad is not None and x.grad.item() == 1.0


def test_gradient_has_the_element_type_of_its_tensor() -> None:
    x = cr.tensor([1.0, 2.0], requires_grad=True)
    (x * np.ones(2)).sum().backward()
    assert x.grad is not None and x.grad.dtype == cr.float32


# -- depth and memory


def test_ten_thousand_chained_operations() -> None:
    x = cr.tensor(1.0, dtype=cr.float64, requires_grad=True)
    y = x
    for _ in range(10_000):
        y = y * 1.0001
    y.backward()
    assert x.grad is not None and x.grad.item() == pytest.approx(1.0001**10_000, rel=1e-9)
    second = cr.grad(cr.grad(_long_chain))(np.float64(0.5))
    assert second.item() == 0.0
    del y


def _long_chain(x: cr.Tensor) -> cr.Tensor:
    for _ in range(3000):
        x = x + 0.001
    return x


def test_deep_chains_are_freed_without_recursion() -> None:
    y = cr.tensor(1.0, requires_grad=True)
    for _ in range(50_000):
        y = y + 1.0
    del y


@contextmanager
def no_garbage_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def test_activations_are_freed_with_the_loss() -> None:
    w = cr.tensor(np.ones((3, 3), np.float32), requires_grad=True)
    with no_garbage_collector():
        hidden = cr.tanh(w @ w)
        watched = [weakref.ref(hidden._value), weakref.ref(hidden._value.equation.inputs[0])]  # type: ignore[union-attr]
        loss = (hidden * hidden).sum()
        loss.backward()
        del hidden
        assert watched[0]() is not None, "the loss needs its activations"
        del loss
        assert [each() for each in watched] == [None, None]


def test_functional_gradients_free_everything() -> None:
    seen: list[weakref.ref[Any]] = []

    def loss(x: cr.Tensor) -> cr.Tensor:
        hidden = cr.exp(x)
        seen.append(weakref.ref(hidden._value))
        return (hidden * hidden).sum()

    with no_garbage_collector():
        value, gradient = cr.value_and_grad(loss)(cr.ones(3))
        assert seen[0]() is None and value.is_leaf and gradient.is_leaf


def test_a_dead_leaf_gets_no_gradient_and_no_error() -> None:
    x = cr.tensor(1.0, requires_grad=True)
    y = x * 2
    del x
    y.backward()


# -- threads


def test_no_grad_and_tracing_belong_to_their_thread() -> None:
    x = cr.tensor([1.0], requires_grad=True)
    ready, go, found = threading.Event(), threading.Event(), []

    def other() -> None:
        with cr.no_grad():
            ready.set()
            go.wait()
            found.append((x * 2).requires_grad)

    thread = threading.Thread(target=other)
    thread.start()
    ready.wait()
    inside = (x * 2).requires_grad
    go.set()
    thread.join()
    assert inside and found == [False]


def test_gradients_in_many_threads() -> None:
    results: list[float] = [0.0] * 4

    def work(number: int) -> None:
        for _ in range(20):
            results[number] = cr.grad(lambda x: (x * x * number).sum())(np.full(50, 3.0))[0].item()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [0.0, 6.0, 12.0, 18.0]


# -- indexing, against NumPy

X = np.arange(24.0).reshape(2, 3, 4)
KEYS: list[Any] = [
    0,
    -1,
    (1, 2),
    (1, 2, 3),
    slice(1, None),
    (slice(None), slice(None, None, -1)),
    (slice(None), slice(2, 0, -2), 1),
    (..., 0),
    (0, ..., slice(1, 3)),
    None,
    (None, 0, None, ..., None),
    (slice(5, 1), 0),
    [1, 0, 1],
    [],
    np.array([[0, 1], [1, 1]]),
    (slice(None), [2, 0]),
    ([0, 1], [2, 0]),
    ([0, 1], slice(None), [2, 0]),
    (0, slice(None), [2, 0]),
    (0, [2, 0], slice(None)),
    ([1, 0], 2),
    ([[0], [1]], [0, 2]),
    ([-1, -2], [-3, 0]),
    (None, [1, 0], None, [1, 2]),
    (slice(None), None, [1, 2]),
    (np.array(1), slice(None)),
    (np.int64(1), np.uint8(2)),
    X > 5,
    (np.array([True, False]),),
    (slice(None), np.array([True, False, True])),
    (slice(None), np.array([True, False, True]), [0, 3]),
    (X[:, :, 0] > 4),
    (np.array([], np.int64), [0]),
    np.zeros((0, 3), np.int64),
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_indexing_is_numpys_and_its_gradient_counts(key: Any) -> None:
    expected = X[tuple(key) if isinstance(key, tuple) else key]
    result = cr.tensor(X)[key]
    assert result.shape == expected.shape
    np.testing.assert_array_equal(result.numpy(), expected)
    weights = np.arange(1.0, expected.size + 1).reshape(expected.shape)
    gradient = cr.grad(lambda x: (x[key] * weights).sum())(X)
    counted = np.zeros_like(X)
    np.add.at(counted, key, weights)
    np.testing.assert_array_equal(gradient.numpy(), counted)
    if isinstance(key, list | np.ndarray) and len(np.shape(key)):
        np.testing.assert_array_equal(
            cr.tensor(X)[cr.tensor(np.asarray(key, None if len(key) else int))].numpy(), expected
        )


@pytest.mark.parametrize(
    ("key", "error"),
    [
        (2, OutOfRangeError),
        ((0, 0, 0, 0), OutOfRangeError),
        ([0, 2], OutOfRangeError),
        ([-3], OutOfRangeError),
        (1.0, DtypeError),
        ("a", DtypeError),
        ((True, 0), DtypeError),
        ([0.5], DtypeError),
        ((..., ...), ShapeError),
        (([0, 1], [0, 1, 2]), ShapeError),
        (np.array([True]), ShapeError),
        (np.array([True, False, False]), ShapeError),
        ((slice(None), np.array([True, False])), ShapeError),
    ],
    ids=str,
)
def test_wrong_indices(key: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        cr.tensor(X)[key]


def test_every_method_is_the_function_of_its_name() -> None:
    x = cr.tensor(np.linspace(-1.5, 1.5, 6).reshape(2, 3))
    names = [
        name
        for name in dir(cr.Tensor)
        if not name.startswith("_") and callable(getattr(cr.Tensor, name)) and hasattr(cr, name)
    ]
    assert len(names) > 45
    arguments: dict[str, tuple[Any, ...]] = {
        "astype": (cr.float32,),
        "matmul": (x.T,),
        "pad": ([(1, 0), (0, 2)],),
        "permute_dims": ((1, 0),),
        "reshape": ((3, 2),),
        "split": (1,),
        "take": ([1], 0),
        "take_along_axis": (np.zeros((2, 1), np.int64),),
        "tile": (2,),
        "repeat": (2,),
        "expand_dims": (0,),
        "swapaxes": (0, 1),
        "moveaxis": (0, 1),
        "cumulative_sum": (0,),
        "clip": (-1, 1),
    }
    for name in names:
        given = arguments.get(name, ())
        method, function = getattr(x, name)(*given), getattr(cr, name)(x, *given)
        pairs = zip(method, function) if isinstance(method, tuple) else [(method, function)]
        for first, second in pairs:
            np.testing.assert_array_equal(first.numpy(), second.numpy(), err_msg=name)
    assert x.reshape(3, 2).shape == x.view(-1, 2).shape == x.permute(1, 0).shape == x.transpose(0, 1).shape == (3, 2)
    assert x.unsqueeze(0).squeeze().shape == (2, 3)


def test_traced_values_give_no_elements_and_say_so() -> None:
    for ask in (bool, float, int, cr.Tensor.item, cr.Tensor.numpy, cr.Tensor.tolist, operator.index):
        with pytest.raises((TraceError, DtypeError)):
            cr.trace(lambda x, ask=ask: ask(x.sum()) or x)(cr.ones(1))
    with pytest.raises(TraceError, match=r"cr\.where"):
        cr.trace(lambda x: x if x > 0 else -x)(1.0)
    assert math.isnan(cr.tensor(math.nan).item())


@pytest.mark.parametrize("digits", [None, 0, 1, 3, -1])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_round_of_python(digits: int | None, dtype: str) -> None:
    array = np.array([1.25, -2.34567, 0.5, 15.0, 123456.789]).astype(dtype)
    expected = np.round(array, digits or 0)
    for call in (round, cr.compile(round)):
        found = call(cr.tensor(array), digits)
        np.testing.assert_array_equal(found, expected)
        assert dtype == "int64" or found.dtype == dtype


def test_a_parameter_of_a_traced_value_names_the_way_out() -> None:
    model = cr.nn.Linear(2, 2)

    @cr.compile
    def replaced(x: Any) -> Any:
        model.weight = cr.nn.Parameter(model.weight * 0.5)
        return model(x)

    @cr.compile
    def assigned(x: Any) -> Any:
        with cr.no_grad():
            model.weight.assign(model.weight * 0.5)
        return model(x)

    x, before = np.ones((1, 2), np.float32), model.weight.numpy().copy()
    with pytest.raises(TraceError, match=r"a Parameter can't be made of a traced value.*weight.assign"):
        replaced(x)
    np.testing.assert_array_equal(model.weight, before)
    np.testing.assert_allclose(assigned(x), x @ before.T / 2 + model.bias.numpy(), 1e-5)
    np.testing.assert_array_equal(model.weight, before / 2)
