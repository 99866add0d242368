"""Modules whose parts, options or state change between calls of a compiled function."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.compiler.running.function import RecompileWarning
from chainrule.errors import TraceError

X = cr.tensor([[-1.0, 2.0]])


@pytest.fixture
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecompileWarning)
        yield


@pytest.mark.usefixtures("quiet")
def test_parts_that_are_replaced() -> None:
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU())
    step = cr.compile(lambda x: model(x))
    model[0].weight.assign([[1.0, 0.0], [0.0, 1.0]])
    assert step(X).tolist() == [[0.0, 2.0]]
    model[0].weight = nn.Parameter(cr.tensor([[2.0, 0.0], [0.0, 2.0]]))
    assert step(X).tolist() == [[0.0, 4.0]]
    model[1] = nn.LeakyReLU(0.5)
    assert step(X).tolist() == [[-1.0, 4.0]]
    model.append(nn.LeakyReLU(0.25))
    assert step(X).tolist() == [[-0.25, 4.0]]
    model[0].register_parameter("bias2", None)  # no matter: nothing reads it
    assert step(X).tolist() == [[-0.25, 4.0]]


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.factor, self.shift = 2.0, cr.tensor(0.0)
        self.last_loss = 0.0

    def forward(self, x: Any) -> Any:
        return x * self.factor + self.shift


def test_options_and_tensors_that_are_replaced() -> None:
    model = Scaled()
    step = cr.compile(lambda x: model(x))
    assert step(X).tolist() == [[-2.0, 4.0]]
    model.last_loss, model.factor = 1.0, 2.0  # the same factor, and what forward does not read
    assert step(X).tolist() == [[-2.0, 4.0]]
    model.factor = 3.0
    with pytest.warns(RecompileWarning, match="the attribute 'factor' of Scaled is not what it was"):
        assert step(X).tolist() == [[-3.0, 6.0]]
    model.shift = cr.tensor(1.0)
    with pytest.warns(RecompileWarning, match="'shift' of Scaled"):
        assert step(X).tolist() == [[-2.0, 7.0]]
    model.eval().train()
    assert step(X).tolist() == [[-2.0, 7.0]]


@pytest.mark.usefixtures("quiet")
def test_an_option_that_the_function_itself_reads() -> None:
    model = Scaled()
    step = cr.compile(lambda x: model(x) * model.last_loss)
    for loss in (1.0, 2.0):
        model.last_loss = loss
        assert step(X).tolist() == [[-2.0 * loss, 4.0 * loss]]


class Recurrent(nn.Module):
    """Keeps its state, in place or not."""

    def __init__(self, in_place: bool) -> None:
        super().__init__()
        self.in_place, self.state = in_place, cr.zeros((1, 2))

    def forward(self, x: Any) -> Any:
        if self.in_place:
            self.state.assign(self.state + x)
        else:
            self.state = self.state + x
        return self.state * 1


def test_state_that_is_put_in_place_of_another() -> None:
    model = Recurrent(False)
    with pytest.raises(TraceError, match=r"the tensor in the attribute 'state' of Recurrent.*self\.state\.assign"):
        cr.compile(lambda x: model(x))(X)
    kept = Recurrent(True)
    step = cr.compile(lambda x: kept(x))
    for calls in (1, 2, 3):
        np.testing.assert_array_equal(step(X).numpy(), calls * X.numpy())


def test_what_a_module_leaves_to_look_at_is_no_state() -> None:
    class Attending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scores: Any = None

        def forward(self, x: Any) -> Any:
            self.scores = cr.exp(x)
            return self.scores.sum()

    model = Attending()
    step = cr.compile(lambda x: model(x))
    for _ in range(2):  # no warning
        np.testing.assert_allclose(step(X).item(), np.exp(X.numpy()).sum(), rtol=1e-6)
    np.testing.assert_allclose(model(X).item(), np.exp(X.numpy()).sum(), rtol=1e-6)
    step(X)


@pytest.mark.usefixtures("quiet")
def test_a_number_that_the_function_counts_up() -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.calls = 0

        def forward(self, x: Any) -> Any:
            self.calls += 1
            return x * self.calls

    model = Counting()
    step = cr.compile(lambda x: model(x))
    assert [step(X).tolist()[0][1] for _ in range(3)] == [2.0, 4.0, 6.0]  # as eagerly, compiled anew each time
