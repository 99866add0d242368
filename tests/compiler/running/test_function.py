"""Calls of compiled functions: they see and leave what eager calls see and leave, and disturb nobody who looks."""

from __future__ import annotations

import threading
import warnings
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.compiler.running.entry import KEPT, SMALL
from chainrule.compiler.running.function import RecompileWarning
from chainrule.errors import ConfigurationError, ShapeError, TraceError
from chainrule.ir.types import NumpyArray


class Training:
    """A small network with its optimiser and a step, eager or compiled."""

    def __init__(self, compiled: bool, clear: str = "before", kind: Any = optim.Adam) -> None:
        cr.random.manual_seed(3)
        self.model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
        self.optimizer = kind(self.model.parameters(), lr=0.1)
        self.clear = clear
        self.step = cr.compile(self.plain) if compiled else self.plain

    def plain(self, inputs: Any, targets: Any) -> Any:
        loss = nn.functional.mse_loss(self.model(inputs), targets)
        if self.clear == "before":
            self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        if self.clear == "after":
            self.optimizer.zero_grad()
        return loss

    @property
    def weight(self) -> Any:
        return self.model[0].weight

    def weights(self) -> list[NumpyArray]:
        return [np.array(each.numpy()) for each in self.model.parameters()]


def batch(seed: int = 0, rows: int = 5) -> tuple[NumpyArray, NumpyArray]:
    random = np.random.default_rng(seed)
    return random.standard_normal((rows, 3)).astype(np.float32), random.standard_normal((rows, 1)).astype(np.float32)


def agree(one: Training, other: Training) -> None:
    for mine, theirs in zip(one.weights(), other.weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize("clear", ["before", "after", "outside"])
def test_steps_follow_the_eager_ones(clear: str) -> None:
    eager, compiled = Training(False, clear), Training(True, clear)
    for number in range(6):
        for training in (eager, compiled):
            if clear == "outside":
                training.optimizer.zero_grad()
            training.step(*map(cr.tensor, batch(number)))
        agree(eager, compiled)
        ours, theirs = (training.weight.grad for training in (compiled, eager))
        assert (ours is None) == (theirs is None)
        if ours is not None:
            np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=2e-4, atol=1e-6)


def test_who_looks_keeps_what_they_saw() -> None:
    training = Training(True)
    training.step(*batch())
    training.step(*batch())
    view, gradient = training.weight.numpy(), training.weight.grad
    part = training.model[2].weight.detach()
    before = [np.array(each) for each in (view, gradient.numpy(), part.numpy())]
    training.step(*batch(1))
    for seen, was in zip((view, gradient.numpy(), part.numpy()), before, strict=True):
        np.testing.assert_array_equal(seen, was)
    assert np.abs(training.weight.numpy() - view).min() > 0
    assert training.weight.grad is not gradient


def test_a_recorded_graph_keeps_the_weights_it_was_made_with() -> None:
    training = Training(True)
    training.step(*batch())
    product = (training.weight * training.weight).sum()
    was = np.array(training.weight.numpy())
    training.optimizer.zero_grad()
    training.step(*batch(1))
    training.weight.grad = None
    product.backward()
    np.testing.assert_array_equal(training.weight.grad.numpy(), 2 * was)


def test_contents_that_are_replaced_are_seen() -> None:
    eager, compiled = Training(False, kind=optim.SGD), Training(True, kind=optim.SGD)
    for training in (eager, compiled):
        training.step(*map(cr.tensor, batch()))
        training.model.load_state_dict({name: 0.5 * each for name, each in training.model.state_dict().items()})
        training.weight.assign(training.weight.numpy() + 1)
        training.step(*map(cr.tensor, batch(1)))
        training.optimizer.param_groups[0]["lr"] = 0.01
        training.step(*map(cr.tensor, batch(2)))
    agree(eager, compiled)


def test_cells_stay_where_they_are_while_nobody_looks() -> None:
    training = Training(True)

    @cr.compile
    def error(inputs: Any, targets: Any) -> Any:
        return nn.functional.mse_loss(training.model(inputs), targets)

    def place() -> int:
        address: int = training.weight._value.data.__array_interface__["data"][0]
        return address

    training.step(*batch())
    first = place()
    for number in range(4):
        training.step(*batch(number))
        error(*batch(number))
        training.step(*batch(number))
        assert place() == first
    assert first % 64 == 0


def test_two_programs_on_the_same_weights_take_turns() -> None:
    eager, compiled = Training(False, kind=optim.SGD), Training(True, kind=optim.SGD)
    for training in (eager, compiled):
        other = optim.SGD(training.model.parameters(), lr=0.02)

        def shrink(training: Training = training, other: Any = other) -> Any:
            penalty = sum(((each * each).sum() for each in training.model.parameters()), cr.tensor(0.0))
            other.zero_grad()
            penalty.backward()
            other.step()
            return penalty

        second = cr.compile(shrink) if training is compiled else shrink
        for number in range(5):
            training.step(*map(cr.tensor, batch(number)))
            second()
    agree(eager, compiled)


AGAIN = "ignore:.*is compiled again:chainrule.compiler.running.reasons.RecompileWarning"


@pytest.mark.filterwarnings(AGAIN)
def test_results_are_the_callers() -> None:
    double = cr.compile(lambda x: 2 * x)
    for size in (1, 5, KEPT // 4 + 1):
        given = [np.full(size, number, np.float32) for number in range(7)]
        results = [double(each) for each in given]
        for number, result in enumerate(results):
            np.testing.assert_array_equal(result.numpy(), np.full(size, 2.0 * number, np.float32))
        view = double(given[3]).numpy()
        for _ in range(5):
            double(given[1])
        assert view[0] == 6.0


@pytest.mark.filterwarnings(AGAIN)
def test_arguments_are_read_at_each_call() -> None:
    total = cr.compile(lambda x: x.sum())
    for size in (4, SMALL):
        given = np.ones((size, 2), np.float32)
        assert float(total(given)) == 2 * size
        given[0, 0] = 5
        assert float(total(given)) == 2 * size + 4
        assert float(total(np.asfortranarray(given))) == 2 * size + 4
        assert float(total(given[::2])) == size + 4


@pytest.mark.filterwarnings(AGAIN)
def test_each_shape_type_and_number_has_its_program() -> None:
    calls = []

    @cr.compile
    def scaled(x: Any, factor: float = 1.0, *, names: Any = None) -> Any:
        calls.append(x.shape)
        return {"sum": (x * factor).sum(), "parts": [x, None]}

    three, four = np.arange(3, dtype=np.float32), np.arange(4, dtype=np.float64)
    for _ in range(3):
        assert float(scaled(three)["sum"]) == 3
        assert float(scaled(four)["sum"]) == 6
        assert float(scaled(cr.tensor(three), 2.0)["sum"]) == 6
        assert float(scaled(x=three, factor=3.0)["sum"]) == 9
        assert scaled(four)["parts"][0].dtype == np.float64
    assert len(calls) == 4


def test_what_was_looked_at_is_asked_for_again() -> None:
    training = Training(True)
    dropout = nn.Dropout(0.5)
    forward = cr.compile(lambda x: dropout(x))
    ones = np.ones(100, np.float32)
    assert (forward(ones).numpy() == 0).any()
    dropout.eval()
    with pytest.warns(RecompileWarning, match="training or evaluation mode"):
        assert (forward(ones).numpy() == 1).all()
    dropout.train()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (forward(ones).numpy() == 0).any()
    training.step(*batch())
    training.optimizer.param_groups[0]["eps"] = 1e-3
    with pytest.warns(RecompileWarning, match="eps"):
        training.step(*batch())


def test_errors_name_what_is_wrong() -> None:
    with pytest.raises(ConfigurationError, match="takes a function"):
        cr.compile(3)
    with pytest.raises(ConfigurationError, match="at least 1"):
        cr.compile(lambda x: x, threads=0)
    with pytest.raises(TraceError, match=r"cr\.where"):
        cr.compile(lambda x: x if x.sum() > 0 else -x)(np.ones(3, np.float32))
    training = Training(True)
    training.step(*batch())
    training.weight.recast("float64")
    with pytest.raises(ShapeError, match="when the function was compiled"):
        training.step(*batch())


def test_threads_of_python_take_turns() -> None:
    total = cr.tensor(0.0)

    @cr.compile
    def add(x: Any) -> Any:
        total.assign(total + x.sum())
        return x.sum()

    add(np.zeros(3, np.float32))
    wrong: list[Any] = []

    def work(number: int) -> None:
        given = np.full(3, number, np.float32)
        wrong.extend(found for _ in range(200) if (found := float(add(given))) != 3 * number)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong
    assert float(total) == 200 * 3 * (0 + 1 + 2 + 3)


@pytest.mark.filterwarnings(AGAIN)
def test_what_another_thread_gives_while_a_step_runs_is_where_the_next_starts() -> None:
    """Between `enter` and `leave` native code runs, and other Python threads too."""
    weight = cr.Parameter([1.0, 2.0])

    @cr.compile
    def step(x: Any) -> None:
        (weight * weight * x).sum().backward()
        weight.data = weight + x

    x = np.ones(2, np.float32)
    step(x)
    entry = step.program(x)
    entry.enter()
    weight.assign([10.0, 20.0])
    entry.leave()
    step(x)
    assert weight.tolist() == [11.0, 21.0]
    entry.enter()
    weight.assign([5.0, 6.0])
    weight.grad = None
    entry.leave()
    step(x)
    assert weight.tolist() == [6.0, 7.0]
    assert weight.grad.tolist() == [10.0, 12.0]
