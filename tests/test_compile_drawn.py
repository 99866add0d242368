"""What gives another answer each time, and state kept in containers: compiled as eagerly, or an error that says so."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import TraceError

pytestmark = pytest.mark.filterwarnings("ignore::chainrule.compiler.running.function.RecompileWarning")


def python_numbers() -> Callable[[Any], Any]:
    random.seed(3)
    return lambda x: x * random.random()


def own_python_numbers() -> Callable[[Any], Any]:
    generator = random.Random(4)
    return lambda x: x * generator.random()


def numpy_numbers() -> Callable[[Any], Any]:
    np.random.seed(5)
    return lambda x: x * np.random.rand()


def numpy_generator() -> Callable[[Any], Any]:
    generator = np.random.default_rng(6)
    return lambda x: x * float(generator.normal())


def iterator() -> Callable[[Any], Any]:
    numbers: Iterator[int] = iter(range(1, 9))
    return lambda x: x * next(numbers)


def counter() -> Callable[[Any], Any]:
    class Counter:
        steps = 0

    here = Counter()

    def function(x: Any) -> Any:
        here.steps += 1
        return x * here.steps

    return function


def counter_in_a_dict() -> Callable[[Any], Any]:
    here = {"steps": 0}

    def function(x: Any) -> Any:
        here["steps"] += 1
        return x * here["steps"]

    return function


KINDS = [python_numbers, own_python_numbers, numpy_numbers, numpy_generator, iterator, counter, counter_in_a_dict]


@pytest.mark.parametrize("make", KINDS, ids=lambda each: each.__name__)
def test_each_call_draws_anew(make: Callable[[], Callable[[Any], Any]]) -> None:
    x = cr.tensor([1.0, 2.0])
    eager, compiled = make(), None
    expected = [eager(x).numpy() for _ in range(3)]
    compiled = cr.compile(make())
    found = [compiled(x).numpy() for _ in range(3)]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert not np.array_equal(found[0], found[1])


@pytest.mark.parametrize(("state", "key"), [({"h": None}, "h"), ([None], 0)])
def test_a_tensor_that_is_read_and_replaced_in_a_container(state: Any, key: Any) -> None:
    state[key] = cr.tensor([0.0, 0.0])

    @cr.compile
    def step(x: Any) -> Any:
        state[key] = state[key] + x
        return state[key] * 1.0

    with pytest.raises(TraceError, match="assign"):
        step(cr.tensor([1.0, 2.0]))


def test_what_is_only_shown_costs_nothing() -> None:
    seen: list[Any] = []

    @cr.compile
    def step(x: Any) -> Any:
        seen.append(x.shape)
        return x * 2.0

    for _ in range(3):
        np.testing.assert_array_equal(step(cr.tensor([1.0, 2.0])).numpy(), [2.0, 4.0])
    assert seen == [(2,)]  # traced once
