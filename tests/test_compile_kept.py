"""What a compiled function keeps for its next call: counted as eagerly, or an error that names the way out."""

from __future__ import annotations

import functools
import operator
import weakref
from collections import ChainMap, Counter, deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import TraceError

X = np.float32([1.0, 2.0])
WEIGHT = cr.tensor(X)

pytestmark = pytest.mark.filterwarnings("ignore::chainrule.compiler.running.function.RecompileWarning")


def length() -> Callable[[Any], Any]:
    log: list[Any] = []

    def step(x: Any) -> Any:
        log.append(x)
        return x * len(log)

    return step


def length_of_a_part() -> Callable[[Any], Any]:
    here = SimpleNamespace(log=[])

    def note(x: Any) -> None:
        here.log.append(x)

    def step(x: Any) -> Any:
        note(x)
        return x * len(here.log)

    return step


def items() -> Callable[[Any], Any]:
    numbers = [1.0]

    def step(x: Any) -> Any:
        y = x * sum(numbers)
        numbers.append(2.0)
        return y

    return step


def last_ones() -> Callable[[Any], Any]:
    numbers: deque[float] = deque([0.0], maxlen=2)

    def step(x: Any) -> Any:
        numbers.append(numbers[-1] + 1)
        return x * sum(numbers)

    return step


def counts() -> Callable[[Any], Any]:
    found: Counter[str] = Counter()

    def step(x: Any) -> Any:
        found["a"] += 1
        return x * found["a"]

    return step


def seen() -> Callable[[Any], Any]:
    found: set[int] = set()

    def step(x: Any) -> Any:
        found.add(len(found))
        return x * len(found)

    return step


GROWING = [length, length_of_a_part, items, last_ones, counts, seen]


@pytest.mark.parametrize("make", GROWING, ids=lambda each: each.__name__)
def test_what_grows_and_is_read(make: Callable[[], Callable[[Any], Any]]) -> None:
    eager, compiled = make(), cr.compile(make())
    for _ in range(3):
        np.testing.assert_array_equal(compiled(X).numpy(), eager(cr.tensor(X)).numpy())


def test_what_is_made_once_is_found_again() -> None:
    made: dict[Any, Any] = {}

    @cr.compile
    def step(x: Any) -> Any:
        if x.shape not in made:
            made[x.shape] = np.ones(x.shape, np.float32)
        return x + made[x.shape]

    for _ in range(4):
        np.testing.assert_array_equal(step(X).numpy(), X + 1)
    assert sum(map(len, step._entries.values())) == 1


def last_result() -> Callable[[Any], Any]:
    log = [X]

    def step(x: Any) -> Any:
        log.append(x + log[-1])
        return log[-1] * 1

    return step


def first_result() -> Callable[[Any], Any]:
    kept: dict[str, Any] = {}

    def step(x: Any) -> Any:
        if "first" not in kept:
            kept["first"] = x * 2
        return x * kept["first"]

    return step


@pytest.mark.parametrize("make", [last_result, first_result], ids=lambda each: each.__name__)
def test_a_traced_value_that_is_kept_and_read(make: Callable[[], Callable[[Any], Any]]) -> None:
    step = cr.compile(make())
    step(X)
    with pytest.raises(TraceError, match=r"traced before, and kept .* Return it") as caught:
        step(X)
    assert __file__.rsplit("/")[-1] in str(caught.value)


@functools.cache
def doubled() -> Any:
    return WEIGHT * 2


class Kept:
    @functools.lru_cache  # noqa: B019
    def times(self, x: Any) -> Any:
        return x * 2


KEPT = Kept()


@pytest.mark.parametrize("function", [lambda x: x + doubled(), lambda x: KEPT.times(x)], ids=["global", "method"])
def test_a_cache_that_would_keep_a_traced_value(function: Any) -> None:
    expected = function(cr.tensor(X)).numpy()
    doubled.cache_clear()
    with pytest.raises(TraceError, match=r"functools\.cache .* Call (doubled|times)\.__wrapped__"):
        cr.compile(function)(X)
    np.testing.assert_array_equal(function(cr.tensor(X)).numpy(), expected)  # nothing traced is left in it


def test_a_cache_of_what_is_known() -> None:
    @functools.lru_cache
    def window(count: int) -> Any:
        return np.hanning(count).astype(np.float32)

    step = cr.compile(lambda x: x * window(len(x)))
    for count in (3, 4, 3):
        x = np.ones(count, np.float32)
        np.testing.assert_array_equal(step(x).numpy(), window(count))


class Holder:
    factor = 1.0

    def times(self, x: Any) -> Any:
        return x * self.factor


HELD = Holder()
REFERENCE = weakref.ref(HELD)
READERS: dict[str, Callable[[Any], Any]] = {
    "attrgetter": lambda x, get=operator.attrgetter("factor"): x * get(HELD),
    "methodcaller": lambda x, call=operator.methodcaller("times", X): call(HELD),
    "weakref": lambda x, reference=REFERENCE: x * reference().factor,
    "chain": lambda x, chain=ChainMap({}, HELD.__dict__): x * chain["factor"],
}


@pytest.mark.parametrize("reader", READERS)
def test_ways_to_an_attribute(reader: str) -> None:
    step = None
    for factor in (1.0, 2.0):
        HELD.factor = factor
        step = step or cr.compile(READERS[reader])
        np.testing.assert_array_equal(step(X).numpy(), X * np.float32(factor))
