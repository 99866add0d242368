"""What a compiled function does to its arguments: as eagerly, or an error that names the way out."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import TraceError

X = np.float32([1.0, 2.0])


@dataclasses.dataclass
class State:
    h: Any
    count: int = 0

    def counted(self, x: Any) -> Any:
        self.count += 1
        return x * self.count

    @functools.cached_property
    def doubled(self) -> Any:
        return self.h * 2


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def forward(self, x: Any) -> Any:
        self.count += 1
        return x * self.count


def set_field(state: Any) -> Any:
    state.h = state.h + 1
    return state.h


def set_other_field(state: Any) -> Any:
    state.extra = state.h + 1
    return state.extra


def append(items: Any) -> Any:
    items.append(items[0] + 1)
    return items[-1]


def pop(items: Any) -> Any:
    return items.pop() * 2


def append_inside(nested: Any) -> Any:
    return append(nested["log"])


def set_item(items: Any) -> Any:
    items["k"] = items["x"] + 1
    return items["k"]


def count_up(items: Any) -> Any:
    items["count"] += 1
    return items["x"] * items["count"]


CHANGES: list[tuple[Callable[[Any], Any], Any, str]] = [
    (set_field, State(X), r"argument state\.h"),
    (set_other_field, State(X), r"argument state\.extra"),
    (append, [X], r"argument items\.1"),
    (pop, [X, X], r"argument items\.1"),
    (append_inside, {"log": [X]}, r"argument nested\.log\.1"),
    (set_item, {"x": X}, r"argument items\.k"),
    (count_up, {"x": X, "count": 1}, r"argument items\.count"),
    (lambda state: state.counted(X), State(X), r"argument state\.count"),
    (lambda module: module(X), Counting(), r"argument module\.count"),
]


@pytest.mark.parametrize(("function", "argument", "named"), CHANGES, ids=lambda each: getattr(each, "__name__", ""))
def test_a_container_that_is_given_is_not_changed(function: Any, argument: Any, named: str) -> None:
    with pytest.raises(TraceError, match=rf"changes {named}, .* Change a copy and return it") as caught:
        cr.compile(function)(argument)
    assert f"{__file__.rsplit('/')[-1]}:{function.__code__.co_firstlineno}" in str(caught.value)


def test_a_copy_of_a_container_may_be_changed() -> None:
    @cr.compile
    def step(state: Any, items: Any, **options: Any) -> Any:
        items = [*items, options.pop("last")]
        return dataclasses.replace(state, h=state.h + items[-1]), items

    state, items = step(State(X), [X], last=X)
    np.testing.assert_array_equal(state.h.numpy(), X + X)
    assert len(items) == 2


def test_a_property_that_is_kept_is_computed_at_each_call() -> None:
    step = cr.compile(lambda state: state.doubled + state.h)
    for factor in (1.0, 2.0):
        np.testing.assert_array_equal(step(State(X * np.float32(factor))).numpy(), X * 3 * factor)


@pytest.mark.filterwarnings("ignore::chainrule.compiler.running.function.RecompileWarning")
def test_the_object_of_a_bound_method_is_itself() -> None:
    for make in (lambda state: state.counted, lambda state: functools.partial(State.counted, state)):
        state = State(X)
        step = cr.compile(make(state))
        for count in (1, 2, 3):
            np.testing.assert_array_equal(step(X).numpy(), X * count)
        assert state.count == 3


def given_whole(call: Any, state: Any, x: Any) -> Any:
    return call(state, x)


def given_by_name(call: Any, state: Any, x: Any) -> Any:
    return call(state=state, x=x)


def given_both_ways(call: Any, state: Any, x: Any) -> Any:
    return call(x, x) if x[0] > 1 else call(state, x)


@pytest.mark.filterwarnings("ignore::chainrule.compiler.running.function.RecompileWarning")
@pytest.mark.parametrize("give", [given_whole, given_by_name, given_both_ways], ids=lambda each: each.__name__)
def test_a_tensor_that_is_given_and_assigned_to_is_one(give: Callable[..., Any]) -> None:
    found = []
    for compiled in (False, True):
        kept = cr.tensor(X)

        def step(state: Any, x: Any, kept: Any = kept) -> Any:
            kept.assign(kept * 0.5 + x)
            return state * 2 + x

        call = cr.compile(step) if compiled else step
        each = [give(call, kept, cr.tensor(X * np.float32(factor))).numpy() for factor in (1, 2, 1, 1)]
        found.append([*each, kept.numpy()])
    np.testing.assert_array_equal(found[1], found[0])


def test_a_buffer_may_be_given_as_well() -> None:
    found = []
    for compile_it in (lambda function: function, cr.compile):
        layer = nn.BatchNorm1d(2)
        step = compile_it(lambda x, mean, layer=layer: layer(x).sum() + mean)
        found += [step(np.float32([[1, 2], [3, 5]]), layer.running_mean).numpy() for _ in range(2)]
    np.testing.assert_allclose(found[2:], found[:2], rtol=1e-6, atol=1e-6)
