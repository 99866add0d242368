"""What a trace puts into tensors is seen by the thread that traces, and by no other."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim, train
from chainrule.reference import run
from chainrule.repeated import UnrepeatableError, repeated
from chainrule.tensor.contents import APART

X = np.float32([[1, 2, 3], [4, 5, 7], [0, 1, 1], [2, 2, 3]])
Y = np.float32([[1], [0], [2], [1]])


def elsewhere(action: Callable[[], Any]) -> Any:
    """What another thread finds, while this one waits."""
    found: list[Any] = []

    def work() -> None:
        try:
            found.append(action())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]


class Training:
    """A step with parameters, running statistics, moments and random state; `during` is called as it is traced."""

    def __init__(self, parts: int = 1) -> None:
        cr.random.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Dropout(0.5), nn.Linear(2, 1))
        self.optimizer = optim.Adam(self.model.parameters(), lr=0.1)
        self.during: Callable[[], Any] = lambda: None

    def step(self, x: Any, y: Any) -> cr.Tensor:
        loss = nn.functional.mse_loss(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        self.during()
        self.optimizer.zero_grad()
        return loss

    def state(self) -> dict[str, np.ndarray]:
        moments = self.optimizer.state_dict()["state"]
        named = {f"{name} of {path}": each for path, kept in moments.items() for name, each in kept.items()}
        return {path: np.array(each) for path, each in {**self.model.state_dict(), **named}.items()}


def assert_same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for path in expected:
        np.testing.assert_array_equal(found[path], expected[path], err_msg=path)


def test_others_see_the_elements_while_a_step_is_traced() -> None:
    training = Training()
    plain = Training()
    first = training.model[0]
    before, seen = training.model.state_dict(), []

    def looks() -> None:
        assert elsewhere(lambda: first.weight.is_traced) is False
        assert elsewhere(lambda: first.weight.grad) is None
        seen.append(elsewhere(training.model.state_dict))
        seen.append(elsewhere(lambda: copy.deepcopy(training.model).state_dict()))
        seen.append(elsewhere(lambda: cr.random.default_generator.get_state()))
        assert first.weight.is_traced
        assert first.weight.grad is not None

    training.during = looks
    state = cr.random.default_generator.get_state()
    cr.compile(training.step)(X, Y)
    assert_same(seen[0], before)
    assert_same(seen[1], before)
    np.testing.assert_array_equal(seen[2], state)
    cr.random.default_generator.set_state(state)
    plain.step(cr.tensor(X), cr.tensor(Y))
    for path, each in plain.state().items():
        np.testing.assert_allclose(training.state()[path], each, rtol=1e-4, atol=1e-6, err_msg=path)


def test_others_train_while_a_step_is_traced() -> None:
    """What they assign stays, and so do the gradients they collect: the trace knows of neither."""
    training = Training()
    weight = training.model[0].weight
    ours, theirs = np.full((2, 3), 7.0, np.float32), np.full((2, 3), 2.0, np.float32)

    def trains() -> None:
        weight.assign(ours)
        (weight * theirs).sum().backward()

    training.during = lambda: elsewhere(trains)
    captured = cr.compile(training.step).program(X, Y).captured
    assert len({(type(cell), id(cell.owner)) for cell in captured.cells}) == len(captured.cells)
    np.testing.assert_array_equal(weight.numpy(), ours)
    np.testing.assert_array_equal(weight.grad.numpy(), theirs)


def test_others_assign_before_it_is_written() -> None:
    """A tensor is read twice with another thread's assignment between: for the trace it is one cell all the same."""
    p = cr.Parameter([1.0, 2.0])

    def step(x: Any) -> Any:
        first = p * x
        elsewhere(lambda: p.assign([10.0, 20.0]))
        return first + p

    compiled = cr.compile(step)
    assert compiled(np.float32([1, 1])).tolist() == [20.0, 40.0]
    p.assign([3.0, 4.0])
    assert compiled(np.float32([1, 2])).tolist() == [6.0, 12.0]


def test_two_functions_are_traced_and_run_on_the_same_parameters() -> None:
    together, alone = Training(), Training()
    inner = cr.compile(lambda x, y: Training.step(together, x, y))
    state = cr.random.default_generator.get_state()
    outer = cr.compile(together.step)
    started: list[bool] = []

    def other_step() -> None:
        if not started:
            started.append(True)
            elsewhere(lambda: inner(X, Y))

    together.during = other_step
    outer(X, Y)
    cr.random.default_generator.set_state(state)
    steps = [cr.compile(alone.step), cr.compile(lambda x, y: Training.step(alone, x, y))]
    for step in steps:
        step(X, Y)
    assert_same(together.state(), alone.state())


def test_nothing_is_left_of_a_trace_that_fails() -> None:
    training = Training()
    before = training.state()

    def fails() -> None:
        raise KeyError("mine")

    training.during = fails
    for _ in range(2):
        with pytest.raises(KeyError, match="mine"):
            cr.compile(training.step)(X, Y)
        assert not APART
        assert all(parameter.grad is None for parameter in training.model.parameters())
        assert_same({path: training.state()[path] for path in before}, before)


def test_gradients_of_a_trace_stay_in_it() -> None:
    p = cr.Parameter([1.0, 2.0])

    def slope(x: Any) -> Any:
        (p * x * x).sum().backward()
        return p.grad

    graph = cr.trace(slope)(np.zeros(2, np.float32))
    assert p.grad is None
    assert run(graph, [np.float32([3, 4])])[0].tolist() == [9.0, 16.0]


def test_loops_over_parts_keep_to_their_thread() -> None:
    """Gradients accumulated in a captured loop: its body writes running statistics, seen by nobody else."""
    seen: list[Any] = []
    training = Training()
    statistics = training.model[1]
    before = statistics.running_mean.numpy().copy()

    class Looking(nn.Module):
        def forward(self, x: Any) -> Any:
            seen.append(elsewhere(lambda: statistics.running_mean.numpy().copy()))
            return x

    model = nn.Sequential(*training.model, Looking())
    train.fit(model, training.optimizer, loss="mse", data=(X, Y), batch_size=2, accumulate=2, epochs=1)
    np.testing.assert_array_equal(seen[0], before)
    assert not np.array_equal(statistics.running_mean.numpy(), before)


@pytest.mark.parametrize("stays", [False, True])
def test_what_a_round_makes_it_makes_anew(stays: bool) -> None:
    """As in the function outside of the loop; what is made to stay is no round of a loop."""
    w = cr.Parameter([1.0, 2.0])
    kept: list[cr.Tensor] = []

    def part(row: Any) -> cr.Tensor:
        total = cr.tensor([0.0, 0.0])
        total += row
        total += row
        made = cr.tensor([1.0, 1.0])
        made.assign(made * row)
        kept.extend([made] * stays)
        loss: cr.Tensor = (total * made * w).sum()
        loss.backward()
        return loss

    def step(x: Any) -> Any:
        w.grad = None
        return repeated(part, (x,)), w.grad

    compiled = cr.compile(step)
    rows = np.float32([[1, 2], [3, 4], [5, 6]])
    if stays:
        with pytest.raises(UnrepeatableError, match="stays"):
            compiled(rows)
        return
    for _ in range(2):
        losses, slope = compiled(rows)
        assert losses.tolist() == [18.0, 82.0, 194.0]
        assert slope.tolist() == [70.0, 112.0]


# -- constants that are put into cells


def test_a_constant_that_was_assigned_is_what_is_read() -> None:
    p = cr.tensor([5.0])

    def step(x: Any) -> Any:
        p.assign([0.5])
        return p + x

    assert cr.compile(step)(np.float32([1])).tolist() == [1.5]
    assert p.tolist() == [0.5]


def test_what_a_tensor_once_held_is_a_constant() -> None:
    w = cr.Parameter([2.0])
    squared = w * w
    w.data = cr.tensor([5.0])

    def slope(x: Any) -> Any:
        w.grad = None
        (squared * x).sum().backward()
        return w.grad

    assert cr.compile(slope)(np.float32([3])).tolist() == slope(cr.tensor([3.0])).tolist() == [12.0]
