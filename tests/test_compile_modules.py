"""Modules whose parts, options or state change between calls of a compiled function."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
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


def stacked(x: Any, layers: Any) -> Any:
    for layer in layers:
        x = layer(x)
    return x


def held_by_list() -> tuple[Any, list[Callable[[], Any]]]:
    layers = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)])
    return (
        lambda x: stacked(x, layers),
        [lambda: layers.__setitem__(0, nn.Linear(3, 3)), lambda: layers.append(nn.Linear(3, 2))],
    )


def held_by_dict() -> tuple[Any, list[Callable[[], Any]]]:
    heads = nn.ModuleDict({"a": nn.Linear(3, 2)})
    return lambda x: heads["a"](x), [lambda: heads.__setitem__("a", nn.Linear(3, 2))]


def held_by_a_module_of_a_list() -> tuple[Any, list[Callable[[], Any]]]:
    class Stack(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(3, 3), nn.Tanh()])

        def forward(self, x: Any) -> Any:
            return stacked(x, self.layers) * getattr(self, "scale", 1.0)

    stack = Stack()
    return stack, [lambda: stack.layers.insert(0, nn.Linear(3, 3)), lambda: setattr(stack, "scale", 3.0)]


def parameters_in_a_list() -> tuple[Any, list[Callable[[], Any]]]:
    weights = nn.ParameterList([np.ones(3, np.float32)])
    return (
        lambda x: sum((x * weight for weight in weights), x * 0),
        [lambda: weights.append(np.full(3, 2.0, np.float32)), lambda: weights.__setitem__(0, np.zeros(3, np.float32))],
    )


def forward_in_place_of_that_of_the_class() -> tuple[Any, list[Callable[[], Any]]]:
    network = nn.Sequential(nn.Linear(3, 3), nn.Tanh())
    before, scale = network[0].forward, [2.0]
    return (
        network,
        [
            lambda: setattr(network[0], "forward", lambda x: before(x) * scale[0]),
            lambda: scale.__setitem__(0, 5.0),
            lambda: delattr(network[0], "forward"),
        ],
    )


@pytest.mark.parametrize(
    "made",
    [
        held_by_list,
        held_by_dict,
        held_by_a_module_of_a_list,
        parameters_in_a_list,
        forward_in_place_of_that_of_the_class,
    ],
)
@pytest.mark.usefixtures("quiet")
def test_what_is_put_into_a_module_counts(made: Any) -> None:
    function, changes = made()
    compiled = cr.compile(function)
    x = cr.tensor(np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3))
    before = compiled(x).numpy()
    for change in changes:
        change()
        now = compiled(x).numpy()
        np.testing.assert_allclose(now, function(x).numpy(), rtol=1e-6)
        assert now.shape != before.shape or not np.allclose(now, before)
        before = now


def test_a_count_of_a_module_whose_parts_are_only_listed_is_no_matter() -> None:
    traced = []
    network = nn.Linear(2, 2)

    @cr.compile
    def norm() -> Any:
        traced.append(1)
        return sum(((weight**2).sum() for weight in network.parameters()), cr.tensor(0.0))

    for steps in range(3):
        network.steps = steps  # type: ignore[attr-defined]
        norm()
    assert len(traced) == 1


class Scaling(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.alpha = 1.0

    @property
    def scale(self) -> float:
        return self.alpha * 2

    def forward(self, x: Any) -> Any:
        return x * self.scale


@pytest.mark.parametrize(
    ("module", "option", "value"),
    [
        (nn.LeakyReLU(0.1), "negative_slope", 0.5),
        (nn.Threshold(0.5, 3.0), "value", 9.0),
        (nn.BatchNorm1d(2), "eps", 0.5),
        (Scaling(), "alpha", 5.0),
    ],
)
@pytest.mark.usefixtures("quiet")
def test_an_option_that_is_set_later_counts(module: Any, option: str, value: Any) -> None:
    x = cr.tensor([[-1.0, 2.0], [3.0, -4.0]])
    compiled = cr.compile(lambda x: module(x))
    before = compiled(x)
    setattr(module, option, value)
    np.testing.assert_allclose(compiled(x).numpy(), module(x).numpy(), rtol=1e-6)
    assert not np.allclose(compiled(x).numpy(), before.numpy())


@pytest.mark.usefixtures("quiet")
def test_an_option_of_a_loss_that_is_set_later_counts() -> None:
    loss, x, y = nn.CrossEntropyLoss(weight=cr.ones(3)), np.eye(3, dtype=np.float32), np.array([0, 1, 1])
    compiled = cr.compile(lambda x, y: loss(x, y))
    for option, value in (("label_smoothing", 0.3), ("weight", cr.tensor([1.0, 2.0, 3.0])), ("reduction", "sum")):
        before = float(compiled(x, y))
        setattr(loss, option, value)
        assert float(compiled(x, y)) == pytest.approx(float(loss(cr.tensor(x), cr.tensor(y))), rel=1e-6)
        assert float(compiled(x, y)) != pytest.approx(before)


class Noisy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner, self.drop = nn.Linear(6, 6), nn.Dropout(0.5)

    @cr.compile
    def forward(self, x: Any) -> Any:
        return self.drop(self.inner(x) * 0 + 1)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("call", [lambda network, x: network(x), cr.compile(Noisy.forward.function)])
def test_the_mode_of_a_module_among_the_arguments_counts(call: Any) -> None:
    network, x = Noisy(), np.ones((4, 6), np.float32)
    with cr.no_grad():
        assert (call(network, x) == 0).any()
        network.eval()
        assert (call(network, x) == 1).all()
        network.train()
        assert (call(network, x) == 0).any()
        network.drop.p = 0.0
        assert (call(network, x) == 1).all()
