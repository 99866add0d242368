"""Values and element types over all pairs of element types are NumPy's, but for the differences listed here."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import ConfigurationError, DtypeError
from chainrule.ir.types import DTYPES

Array = np.ndarray[Any, Any]
INTEGERS = [dtype for dtype in DTYPES if dtype.kind in "iu"]


def numbers(shape: tuple[int, ...], dtype: np.dtype[Any], seed: int = 0) -> Array:
    """Numbers from -7 to 7 without a zero, so that all may be divided by."""
    drawn = np.random.default_rng(seed).integers(1, 8, shape) * (1 if dtype.kind in "ub" else (-1) ** seed)
    return np.asarray(drawn % 2 == 0 if dtype.kind == "b" else drawn).astype(dtype)


def agree(given: cr.Tensor, expected: Any) -> None:
    wanted = np.asarray(expected)
    np.testing.assert_allclose(given.numpy(), wanted, rtol=1e-5)
    assert given.dtype == wanted.dtype or given.dtype.kind == wanted.dtype.kind == "f"


BINARY = ("add", "subtract", "multiply", "divide", "floor_divide", "remainder", "maximum", "minimum", "less", "equal")
NOT_FOR_BOOLS = ("subtract", "maximum", "minimum", "less", "floor_divide", "remainder")


@pytest.mark.parametrize("name", BINARY)
def test_pairs_of_element_types(name: str) -> None:
    ours, theirs = getattr(cr, name), getattr(np, name)
    for first, second in itertools.product(DTYPES, DTYPES):
        x, y = numbers((3, 4), first), numbers((4,), second, seed=1)
        kinds = {first.kind, second.kind}
        if kinds == {"b"} and name in NOT_FOR_BOOLS:
            with pytest.raises(DtypeError, match="cast"):
                ours(x, y)
        elif np.dtype("uint64") in (first, second) and kinds == {"i", "u"}:
            with pytest.raises(DtypeError, match="no common integer type"):
                ours(x, y)
        else:
            with np.errstate(all="ignore"):
                agree(ours(x, y), theirs(x, y))


@pytest.mark.parametrize("name", ["sum", "prod", "mean", "var", "std", "max", "min", "all", "any", "argmax", "argmin"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_reductions_of_every_element_type(name: str, dtype: np.dtype[Any]) -> None:
    x = numbers((3, 4), dtype)
    if dtype.kind == "b" and name in ("max", "min"):
        with pytest.raises(DtypeError, match=f"{name} takes"):
            getattr(cr, name)(x)
        return
    for axis in (None, 0, 1):
        agree(getattr(cr, name)(x, axis), getattr(np, name)(x, axis))


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_small_integers_do_not_overflow_where_they_are_summed_or_multiplied(dtype: np.dtype[Any]) -> None:
    x = np.full(9, 100, dtype)
    assert cr.sum(x).item() == cr.cumulative_sum(x)[-1].item() == 900
    assert cr.prod(x).item() == 10**18


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_division_by_an_integer_zero_is_zero_with_rests_too(dtype: np.dtype[Any]) -> None:
    x, zero = np.array([5], dtype), np.array([0], dtype)
    assert cr.floor_divide(x, zero).item() == cr.remainder(x, zero).item() == 0
    assert cr.divide(x, zero).item() == np.inf


@pytest.mark.parametrize("function", [cr.exp, cr.sqrt, cr.sin, cr.sigmoid, cr.gelu, cr.softmax, cr.logsumexp, cr.log])
def test_integers_become_float32_where_results_are_no_integers(function: Callable[..., Any]) -> None:
    for dtype in (*INTEGERS, np.dtype(bool)):
        given = function(numbers((4,), dtype))
        assert given.dtype == np.float32
        np.testing.assert_array_equal(given.numpy(), function(numbers((4,), dtype).astype(np.float32)).numpy())


@pytest.mark.parametrize("function", [cr.floor, cr.ceil, cr.round, cr.trunc])
def test_integers_are_whole_already(function: Callable[..., Any]) -> None:
    for dtype in (*INTEGERS, np.dtype(bool)):
        agree(function(numbers((4,), dtype)), numbers((4,), dtype))


def test_an_unknown_approximation_is_refused() -> None:
    with pytest.raises(ConfigurationError, match='"none" or "tanh"'):
        cr.gelu(cr.ones(2), approximate="sigmoid")


@pytest.mark.parametrize("number", [-1, -100, 256, 300, 2**70, -(2**70)])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint64", "int64"])
def test_whole_numbers_beyond_the_element_type_can_be_compared(number: int, dtype: str) -> None:
    x = np.array([0, 1, 100], dtype)
    for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"):
        ours, theirs = getattr(cr, name), getattr(np, name)
        agree(ours(x, number), theirs(x, number))
        agree(ours(number, x), theirs(number, x))
    assert (cr.tensor(x) == number).tolist() == [False] * 3
    assert (number < cr.tensor(x)).tolist() == [number < 0] * 3


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_class_labels_and_indices_of_any_integer_type(dtype: np.dtype[Any]) -> None:
    labels, scores = np.array([2, 0], dtype), np.arange(6.0).reshape(2, 3)
    assert nn.functional.cross_entropy(scores, labels).item() == nn.functional.cross_entropy(scores, [2, 0]).item()
    assert cr.take(scores, labels, 1).shape == scores[:, labels].shape
    assert cr.one_hot(labels, 3).tolist() == [[0, 0, 1], [1, 0, 0]]
