"""NumPy's functions given a tensor: its operators work, and of the others it is told what ours is called."""

from __future__ import annotations

import copy
import operator
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import TraceError

A = np.array([3, 5], np.int64)

REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a ufunc": (np.tanh, "np.tanh was given a traced value, .*: use cr.tanh$"),
    "a method of ufuncs": (np.add.reduce, r"np.add.reduce .*: use cr.add$"),
    "a reduction": (np.mean, "np.mean .*: use cr.mean$"),
    "a list of tensors": (lambda x: np.stack([x, x]), "np.stack .*: use cr.stack$"),
    "a longer name": (np.linalg.norm, "np.linalg.norm .*: use cr.linalg.matrix_norm or cr.linalg.vector_norm$"),
    "in another module": (np.fft.fft, "np.fft.fft .*: use cr.fft.fft$"),
    "none of ours": (np.rint, "np.rint .*: make it of functions of chainrule$"),
    "copies": (copy.deepcopy, r"use x.clone\(\)"),
}
if hasattr(np, "acos"):  # since NumPy 2 it has these names too
    REFUSED["another name in NumPy"] = (np.arccos, "np.arccos .*: use cr.acos$")
    REFUSED["another name, in a list"] = (lambda x: np.concatenate([x, x]), "np.concatenate .*: use cr.concat$")


@pytest.mark.parametrize("name", REFUSED)
def test_a_traced_value_is_refused_with_the_name_of_ours(name: str) -> None:
    call, told = REFUSED[name]
    with pytest.raises(TraceError) as caught:
        cr.trace(lambda x: call(x))(cr.tensor([1.0, 1.0]))
    first, _, line = str(caught.value).partition("\n")
    assert re.search(told, first)
    assert "test_numpy_calls.py" in line


def test_eager_tensors_are_read_or_refused_with_the_name_of_ours() -> None:
    x = cr.tensor([1.0, 2.0])
    assert type(np.concatenate([x, x])) is np.ndarray
    with pytest.raises(TypeError, match=r"np.tanh takes no tensors: use cr.tanh, or give it tensor.numpy\(\)"):
        np.tanh(x)
    with pytest.raises(TypeError) as caught:
        np.mean(x)
    assert caught.value.__notes__ == ["np.mean takes no tensors: use cr.mean, or give it tensor.numpy()"]


OPERATORS = [
    *(operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow),
    *(operator.matmul, operator.and_, operator.or_, operator.xor),
    *(operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge),
]


@pytest.mark.parametrize("operate", OPERATORS)
def test_an_array_on_the_left_of_an_operator(operate: Callable[[Any, Any], Any]) -> None:
    b = np.array([2, 5], np.int64)
    result = operate(A, cr.tensor(b))
    assert isinstance(result, cr.Tensor)
    np.testing.assert_allclose(result, operate(A, b), 1e-6)


def test_a_tensor_added_to_an_array_in_place_gives_a_tensor_and_leaves_the_array() -> None:
    array: Any = np.zeros(2, np.float32)
    total = array
    total += cr.tensor([1.0, 1.0])
    assert isinstance(total, cr.Tensor)
    np.testing.assert_array_equal(array, 0)
    with pytest.raises(TypeError, match=r"use cr.add"):
        np.add(array, cr.tensor([1.0, 1.0]), out=array)


@pytest.mark.parametrize(
    ("read", "told"),
    [
        (float, "float() needs"),
        (lambda x: range(x.astype("int64")), "range() or an index of Python needs"),
        (lambda x: f"{x:.3f}", "a format like {x:.3f} needs"),
        (lambda x: 1.0 in x.reshape(1), "`in` needs"),
        (lambda x: max(x, 0.0), "cr.maximum for `max`"),
    ],
)
def test_who_asks_for_elements_is_told(read: Callable[[Any], Any], told: str) -> None:
    with pytest.raises(TraceError) as caught:
        cr.trace(lambda x: read(x))(cr.tensor(1.0))
    assert told in str(caught.value)


def test_a_value_that_was_kept_from_a_trace_says_to_return_it() -> None:
    kept = []
    cr.compile(lambda x: kept.append(x * 2) or x)(np.ones(2, np.float32))  # type: ignore[func-returns-value]
    with pytest.raises(TraceError, match=r"tolist\(\) needs .* that a compiled or traced function kept .*: return it"):
        kept[0].tolist()
