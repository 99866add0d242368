"""Functions that change what they read: no program for many runs, nothing changed by one that is refused."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.capture import Use, capture
from chainrule.errors import TraceError
from chainrule.ir.types import ArrayType

pytestmark = pytest.mark.filterwarnings("ignore::chainrule.compiler.running.function.RecompileWarning")

X = np.arange(6, dtype=np.float32)
COUNT = 0
Function = Callable[[Any], Any]


def a_global() -> Function:
    globals()["COUNT"] = 0

    def function(x: Any) -> Any:
        global COUNT
        COUNT += 1
        return x.sum() * COUNT

    return function


def a_variable_around() -> Function:
    count = 0

    def function(x: Any) -> Any:
        nonlocal count
        count += 1
        return x.sum() * count

    return function


def an_item_of_a_dict() -> Function:
    here = {"steps": 0}

    def function(x: Any) -> Any:
        here["steps"] += 1
        return x.sum() * here["steps"]

    return function


def an_item_that_is_missing_at_first() -> Function:
    here: dict[str, int] = {}

    def function(x: Any) -> Any:
        here["steps"] = here.get("steps", 0) + 1
        return x.sum() * here["steps"]

    return function


def an_attribute_that_is_missing_at_first() -> Function:
    here = SimpleNamespace()

    def function(x: Any) -> Any:
        here.steps = getattr(here, "steps", 0) + 1
        return x.sum() * here.steps

    return function


def the_length_of_a_list() -> Function:
    seen: list[int] = []

    def function(x: Any) -> Any:
        seen.append(1)
        return x.sum() * len(seen)

    return function


def what_is_taken_from_a_list() -> Function:
    rates = [1.0, 2.0, 3.0, 4.0]
    return lambda x: x.sum() * rates.pop()


def an_array() -> Function:
    steps = np.zeros(2)

    def function(x: Any) -> Any:
        steps[1] += 1
        return x.sum() * float(steps[1])

    return function


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.steps = 0

    def forward(self, x: Any) -> Any:
        self.steps += 1
        return x.sum() * self.steps


class CountingByItsClass(nn.Module):
    steps = 0

    def forward(self, x: Any) -> Any:
        self.steps += 1
        return x.sum() * self.steps


def counted(module: Any) -> int:
    module.steps += 1
    return int(module.steps)


class CountedByAFunction(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.steps = 0

    def forward(self, x: Any) -> Any:
        return x.sum() * counted(self)


class Swapping(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.now, self.then = nn.ReLU(), nn.Tanh()

    def forward(self, x: Any) -> Any:
        self.now, self.then = self.then, self.now
        return self.now(x).sum()


class Toggling(nn.Module):
    def forward(self, x: Any) -> Any:
        self.train(not self.training)
        return x.sum() * (2.0 if self.training else 3.0)


class Ticking:
    ticks = 0

    @classmethod
    def tick(cls) -> int:
        cls.ticks += 1
        return cls.ticks

    @staticmethod
    def tock() -> int:
        Ticking.ticks += 1
        return Ticking.ticks


def a_class_method() -> Function:
    Ticking.ticks = 0
    return lambda x: x.sum() * Ticking.tick()


def a_static_method() -> Function:
    Ticking.ticks = 0
    return lambda x: x.sum() * Ticking.tock()


def pythons_numbers() -> Function:
    random.seed(3)
    return lambda x: x.sum() * random.random()


def numpys_numbers() -> Function:
    np.random.seed(5)
    return lambda x: x.sum() * float(np.random.rand())


def a_generator() -> Function:
    generator = np.random.default_rng(6)
    return lambda x: x.sum() * float(generator.normal())


def an_iterator() -> Function:
    numbers: Iterator[float] = iter([1.0, 2.0, 3.0])
    return lambda x: x.sum() * next(numbers)


def made_when_missing(draw: bool) -> Function:
    state: dict[str, Any] = {"h": None, "steps": 0}
    generator = random.Random(7)

    def function(x: Any) -> Any:
        if state["h"] is None:
            state["h"] = cr.zeros(())
        state["steps"] += 1
        state["h"] += x.sum() * state["steps"]
        return state["h"] * (generator.random() if draw else 1.0)

    return function


CASES: list[tuple[Callable[[], Function], str]] = [
    (a_global, "the global COUNT"),
    (a_variable_around, "the variable count"),
    (an_item_of_a_dict, "the item 'steps'"),
    (an_item_that_is_missing_at_first, "the item 'steps'"),
    (an_attribute_that_is_missing_at_first, "the attribute 'steps' of SimpleNamespace"),
    (the_length_of_a_list, "a list"),
    (what_is_taken_from_a_list, "a list"),
    (an_array, "a NumPy array"),
    (Counting, "the attribute 'steps' of Counting"),
    (CountingByItsClass, "the attribute 'steps' of CountingByItsClass"),
    (CountedByAFunction, "the attribute 'steps' of CountedByAFunction"),
    (Swapping, "the attribute 'now' of Swapping"),
    (Toggling, "training"),
    (a_class_method, "the attribute 'ticks' of Ticking"),
    (a_static_method, "the attribute 'ticks' of Ticking"),
    (pythons_numbers, "Python's random numbers"),
    (numpys_numbers, "NumPy's random numbers"),
    (a_generator, "a Generator"),
    (an_iterator, "a list_iterator"),
    (lambda: made_when_missing(draw=True), "the item 'steps'"),
]
NEW = [an_item_that_is_missing_at_first, an_attribute_that_is_missing_at_first, the_length_of_a_list]


def called(function: Function) -> list[float]:
    return [float(function(cr.tensor(X[start : start + 2]))) for start in (0, 2, 4)]


@pytest.mark.parametrize(("make", "what"), CASES, ids=[what for _, what in CASES])
def test_an_epoch_is_refused_and_nothing_is_changed(make: Callable[[], Function], what: str) -> None:
    expected = called(make())
    function = make()
    with pytest.raises(TraceError, match=what):
        cr.compile(function).epoch(X, batch_size=2)
    assert called(function) == expected


@pytest.mark.parametrize("make", [*NEW, CountedByAFunction], ids=lambda each: each.__name__)
def test_single_calls_are_those_of_the_function(make: Callable[[], Function]) -> None:
    np.testing.assert_allclose(called(cr.compile(make())), called(make()), rtol=1e-6)


@pytest.mark.parametrize("draw", [False, True])
def test_the_first_call_counts_and_draws_once_though_it_is_traced_twice(draw: bool) -> None:
    np.testing.assert_allclose(called(cr.compile(made_when_missing(draw))), called(made_when_missing(draw)), rtol=1e-6)


def test_an_iterator_can_not_be_traced_twice() -> None:
    state: dict[str, Any] = {}
    numbers = iter([1.0, 2.0])

    def function(x: Any) -> Any:
        state.setdefault("h", cr.zeros(2)).add_(x)
        return state["h"] * next(numbers)

    with pytest.raises(TraceError, match=r"list_iterator.*traced twice"):
        cr.compile(function)(X[:2])


def test_a_part_that_is_made_when_missing_and_written_at_once() -> None:
    class Lazy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer: Any = None

        def forward(self, x: Any) -> Any:
            if self.layer is None:
                self.layer = nn.Linear(2, 1)
            return self.layer(x)

    model = Lazy()
    compiled = cr.compile(lambda x: model(x))
    for _ in range(2):
        with pytest.raises(TraceError, match=r"by one call without cr\.compile"):
            compiled(X[:2])
        assert model.layer is None
    expected = model(cr.tensor(X[:2])).numpy()
    np.testing.assert_allclose(compiled(X[:2]).numpy(), expected, rtol=1e-6)


def test_memory_and_programs_only_look() -> None:
    model = Counting()
    compiled = cr.compile(lambda x: model(x))
    assert compiled.memory(X).total > 0
    assert model.steps == 0
    with pytest.raises(TraceError, match="list_iterator"):
        cr.compile(an_iterator()).memory(X)


def remembered(known: Any) -> Function:
    def function(x: Any) -> Any:
        if x.shape not in known:
            known[x.shape] = np.arange(x.shape[0], dtype=np.float32)
        return (x * known[x.shape]).sum()

    return function


def test_what_is_computed_once_and_kept_is_no_change() -> None:
    np.testing.assert_array_equal(cr.compile(remembered({})).epoch(X, batch_size=3).numpy(), [5.0, 14.0])


def test_what_only_the_first_run_does_differently() -> None:
    def first() -> Function:
        state = {"begun": False}

        def function(x: Any) -> Any:
            scale, state["begun"] = 1.0 if state["begun"] else 2.0, True
            return x.sum() * scale

        return function

    function = first()
    with pytest.raises(TraceError, match="the item 'begun'"):
        cr.compile(function).epoch(X, batch_size=2)
    assert called(function) == [2.0, 5.0, 9.0]


def test_a_file_may_be_written_of_what_only_counts() -> None:
    kinds = [ArrayType((2,), np.dtype(np.float32))]
    model = Counting()
    with pytest.raises(TraceError, match="'steps' of Counting"):
        capture(model, kinds, use=Use.FILE)

    def counting(x: Any) -> Any:
        model.steps += 1
        return x * 2.0

    assert len(capture(counting, kinds, use=Use.FILE).graph.equations) == 1
    assert model.steps == 0


def test_an_option_that_is_changed_behind_its_use() -> None:
    weight = cr.Parameter([1.0])
    optimizer = optim.SGD([weight], lr=1.0)

    @cr.compile
    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = (weight * x).sum()
        loss.backward()
        optimizer.step()
        optimizer.param_groups[0]["lr"] *= 0.5
        return loss

    with pytest.raises(TraceError, match="the option 'lr'"):
        step(X[1:2])
    assert optimizer.param_groups[0]["lr"] == 1.0
    assert weight.item() == 1.0


def test_the_way_out_that_the_error_names() -> None:
    class InATensor(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.steps = cr.tensor(0)

        def forward(self, x: Any) -> Any:
            self.steps += 1
            return x.sum() * self.steps

    model = InATensor()
    compiled = cr.compile(lambda x: model(x))
    assert compiled.epoch(X, batch_size=2).tolist() == [1.0, 10.0, 27.0]
    assert model.steps.item() == 3


def test_a_trace_that_fails_changes_nothing() -> None:
    def function(x: Any) -> Any:
        global COUNT
        COUNT += 1
        return x * 2 if x.sum() > 0 else x

    globals()["COUNT"] = 0
    with pytest.raises(TraceError):
        cr.compile(function)(X)
    assert COUNT == 0
