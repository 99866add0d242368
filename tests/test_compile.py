"""`cr.compile`: the same source gives the same results, and what lies outside is read and updated in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from tests.steps import step_of

import chainrule as cr
from chainrule import nn, optim

Make = Callable[[], tuple[nn.Module, optim.Optimizer]]


def examples(count: int = 4, rows: int = 16, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    generator = np.random.default_rng(seed)
    return [
        (generator.standard_normal((rows, 6)).astype(np.float32), generator.integers(0, 3, rows)) for _ in range(count)
    ]


def network() -> nn.Module:
    cr.random.manual_seed(1)
    return nn.Sequential(nn.Linear(6, 8, bias=False), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.25), nn.Linear(8, 3))


OPTIMIZERS: dict[str, Callable[[nn.Module], optim.Optimizer]] = {
    "sgd": lambda model: optim.SGD(model.parameters(), lr=0.1),
    "momentum": lambda model: optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "adam": lambda model: optim.Adam(model.parameters(), lr=0.01, amsgrad=True),
    "adamw": lambda model: optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1),
    "rmsprop": lambda model: optim.RMSprop(model.parameters(), lr=0.01, momentum=0.5, centered=True),
    "adagrad": lambda model: optim.Adagrad(model.parameters(), lr=0.1),
}


def trained(name: str, compiled: bool) -> tuple[list[float], dict[str, np.ndarray], dict[str, Any]]:
    model = network()
    optimizer = OPTIMIZERS[name](model)
    step = step_of(model, optimizer)
    call = cr.compile(step) if compiled else step
    cr.random.manual_seed(3)
    losses = [call(cr.tensor(x), cr.tensor(y)).item() for x, y in examples()]
    random_state = cr.random.default_generator.get_state()
    return losses, {**model.state_dict(), "random": random_state}, optimizer.state_dict()["state"]


def assert_same(one: Any, other: Any, rtol: float = 2e-5, atol: float = 2e-6) -> None:
    found, structure = cr.tree.flatten(one)
    wanted, expected_structure = cr.tree.flatten(other)
    assert structure == expected_structure
    for have, want in zip(found, wanted, strict=True):
        np.testing.assert_allclose(np.asarray(have), np.asarray(want), rtol, atol)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_compiled_as_eagerly(name: str) -> None:
    """Parameters, moments, running statistics, random state (dropout): all of them move as they do eagerly."""
    eager, compiled = trained(name, False), trained(name, True)
    assert_same(compiled, eager)
    assert compiled[0][0] != compiled[0][-1]


def test_parameters_are_updated_in_place() -> None:
    """The module's own tensors hold the new weights, and each keeps its memory from step to step."""
    model = network()
    call = cr.compile(step_of(model, optim.SGD(model.parameters(), lr=0.1)))
    first = [np.array(each.numpy()) for each in model.parameters()]
    places = []
    for x, y in examples():
        call(x, y)
        places.append([each._value.data.__array_interface__["data"][0] for each in model.parameters()])
    assert places[1] == places[2] == places[3]
    assert all((before != after.numpy()).any() for before, after in zip(first, model.parameters()))


def test_who_holds_the_old_weights_keeps_them() -> None:
    model = network()
    call = cr.compile(step_of(model, optim.SGD(model.parameters(), lr=0.1)))
    weight = next(iter(model.parameters()))
    (x, y), *_ = examples()
    call(x, y)
    view, detached, state = weight.numpy(), weight.detach(), model.state_dict()["0.weight"]
    shown = model.state_dict(copy=False)["0.weight"]
    assert np.shares_memory(shown, view) and not np.shares_memory(state, view)
    before = np.array(view)
    call(x, y)
    for held in (view, detached.numpy(), state, shown):
        np.testing.assert_array_equal(held, before)
    assert (weight.numpy() != before).any()


def test_weights_put_in_between_are_used() -> None:
    """load_state_dict, assign and a changed learning rate count at the next call, without compiling again."""
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    call = cr.compile(step_of(model, optimizer))
    saved = {name: np.array(array) for name, array in model.state_dict().items()}
    (x, y), *_ = examples()
    cr.random.manual_seed(0)
    first = call(x, y).item()
    model.load_state_dict(saved)
    cr.random.manual_seed(0)
    assert call(x, y).item() == first
    optimizer.param_groups[0]["lr"] = 0.0
    kept = [np.array(each.numpy()) for each in model.parameters()]
    call(x, y)
    for before, after in zip(kept, model.parameters()):
        np.testing.assert_array_equal(before, after.numpy())
    assert len(call._entries) == 1


def test_gradients_are_left_in_grad() -> None:
    w = cr.Parameter([1.0, 2.0])

    @cr.compile
    def backward(x: Any) -> cr.Tensor:
        loss = (w * w * x).sum()
        loss.backward()
        return loss

    backward(np.float32([1, 1]))
    np.testing.assert_array_equal(w.grad.numpy(), [2, 4])
    with pytest.warns(UserWarning, match=r"whether a gradient was there"):
        backward(np.float32([1, 10]))
    np.testing.assert_array_equal(w.grad.numpy(), [4, 44])  # added to what was there, as eagerly
    backward(np.float32([1, 1]))
    np.testing.assert_array_equal(w.grad.numpy(), [6, 48])


def test_random_numbers_go_on_where_they_stand() -> None:
    def draw() -> Any:
        return cr.random.normal((3,)), cr.random.uniform((2, 2)), cr.random.randint(0, 10, (4,))

    call = cr.compile(draw)
    cr.random.manual_seed(5)
    eager = [draw() for _ in range(3)]
    cr.random.manual_seed(5)
    compiled = [call() for _ in range(2)] + [draw()]
    assert_same(compiled, eager, 1e-6, 1e-6)
    assert (compiled[0][0].numpy() != compiled[1][0].numpy()).any()


def test_running_statistics_are_read_in_evaluation() -> None:
    model = network()
    train = cr.compile(lambda x: model(x).sum())
    (x, _), (z, _), *_ = examples()
    for _ in range(3):
        train(x)
    model.eval()
    with pytest.warns(UserWarning, match="training or evaluation mode"):
        found = train(z)
    assert_same(found, model(z).sum(), 1e-4, 1e-5)


# -- arguments and results


def test_any_nest_of_arguments_and_results() -> None:
    @dataclass
    class Pair:
        left: Any
        right: Any

    def function(batch: dict[str, Any], pair: Pair, *, scale: float) -> Any:
        return {"sum": batch["x"] + pair.left * scale, "rest": [pair.right, (batch["x"], Pair(1.0, batch["y"]))]}

    arguments = {"x": np.float32([1, 2]), "y": np.int64([3])}, Pair(np.float32([5, 6]), cr.tensor([True]))
    found = cr.compile(function)(*arguments, scale=2.0)
    assert type(found["rest"][1][1]) is Pair
    assert_same(found, function(*arguments, scale=2.0))


def test_fields_that_are_set_later_count_as_they_are() -> None:
    @dataclass
    class Batch:
        inputs: Any
        scale: float = field(default=1.0, init=False)

    call = cr.compile(lambda batch: batch.inputs * batch.scale)
    batch = Batch(np.float32([1, 2]))
    np.testing.assert_array_equal(call(batch).numpy(), [1, 2])
    batch.scale = 3.0
    with pytest.warns(UserWarning, match="compil"):
        np.testing.assert_array_equal(call(batch).numpy(), [3, 6])


def test_results_are_new_each_time() -> None:
    call = cr.compile(lambda x: (x, x + 1))
    x = np.float32([1, 2])
    same, more = call(x)
    other, _ = call(np.float32([5, 6]))
    np.testing.assert_array_equal(same.numpy(), [1, 2])
    np.testing.assert_array_equal(more.numpy(), [2, 3])
    np.testing.assert_array_equal(other.numpy(), [5, 6])
    x[:] = 9
    np.testing.assert_array_equal(same.numpy(), [1, 2])


def test_arguments_in_any_layout() -> None:
    call = cr.compile(lambda x: x * 2 + cr.cumulative_sum(x, axis=0))
    block = np.arange(24, dtype=np.float32).reshape(4, 6)
    for view in (
        block,
        block.T,
        block[::-1],
        block[:, ::2],
        np.broadcast_to(block[0], (3, 6)),
        np.asfortranarray(block),
    ):
        np.testing.assert_array_equal(cr.compile(call)(view).numpy(), view * 2 + np.cumsum(view, 0))


def test_methods_belong_to_their_instance() -> None:
    class Scaler:
        def __init__(self, factor: float) -> None:
            self.factor = cr.tensor(factor)

        @cr.compile
        def __call__(self, x: Any) -> cr.Tensor:
            return x * self.factor

    two, three = Scaler(2.0), Scaler(3.0)
    x = np.float32([1, 2])
    np.testing.assert_array_equal(two(x).numpy(), [2, 4])
    np.testing.assert_array_equal(three(x).numpy(), [3, 6])
    np.testing.assert_array_equal(two(x).numpy(), [2, 4])


def test_a_module_is_a_function_too() -> None:
    model = network().eval()
    (x, _), *_ = examples()
    assert_same(cr.compile(model)(x), model(cr.tensor(x)))


def test_compiled_functions_call_compiled_functions() -> None:
    inner = cr.compile(lambda x: cr.sin(x) * 2)
    outer = cr.compile(lambda x: inner(x) + inner(x * 2))
    x = np.float32([0.5, 1.5])
    np.testing.assert_allclose(outer(x).numpy(), 2 * np.sin(x) + 2 * np.sin(2 * x), rtol=1e-6)
    gradient = cr.compile(cr.grad(lambda v: inner(v).sum()))
    np.testing.assert_allclose(gradient(x).numpy(), 2 * np.cos(x), rtol=1e-6)


def test_name_and_text_stay() -> None:
    @cr.compile
    def loss(x: Any) -> Any:
        """Squares."""
        return x * x

    assert loss.__name__ == "loss" and loss.__doc__ == "Squares."
    assert cr.compile(threads=1)(lambda x: x + 1)(np.float32(1)).item() == 2


# -- gradients


def test_second_order_gradients() -> None:
    def penalised(w: Any, x: Any) -> cr.Tensor:
        loss = cr.grad(lambda v: (cr.tanh(x @ v) ** 2).sum())
        return (loss(w) ** 2).sum()

    generator = np.random.default_rng(0)
    w, x = generator.standard_normal(5), generator.standard_normal((7, 5))
    for function in (cr.grad(penalised), cr.hessian(penalised), lambda w, x: cr.hvp(penalised, (w, x), (w, x))):
        assert_same(cr.compile(function)(w, x), function(w, x), 1e-10, 1e-10)


def test_backward_through_backward() -> None:
    w = cr.Parameter(np.float64([0.3, -0.8]))

    def step(x: Any) -> Any:
        w.zero_grad()
        loss = (cr.sin(w * x)).sum()
        loss.backward(create_graph=True)
        penalty = (w.grad * w.grad).sum()
        w.zero_grad()
        penalty.backward()
        return penalty

    x = np.float64([2.0, 3.0])
    eager = step(cr.tensor(x)).item(), w.grad.numpy()
    w.zero_grad()
    compiled = cr.compile(step)(x).item(), w.grad.numpy()
    assert_same(compiled, eager, 1e-12)


def test_no_gradient_is_lost_at_a_compiled_function() -> None:
    """Behind a call nothing is known of what a native program did: an error for backward(), not zero."""
    layer = nn.Linear(3, 2)
    forward = cr.compile(lambda x: layer(x).sum())
    x = np.float32([[1, 2, 3]])
    for ask in (
        lambda: forward(x).backward(),
        lambda: (forward(x) + (layer.weight**2).sum()).backward(),
    ):
        with pytest.raises(cr.errors.GradientError, match=r"compiled function .* from outside"):
            ask()
    assert forward(x).item() == pytest.approx(layer(cr.tensor(x)).sum().item(), rel=1e-6)
    with cr.no_grad():
        with pytest.warns(UserWarning, match="cr.no_grad"):
            found = forward(x)
        assert not found.requires_grad


def test_results_require_a_gradient_where_an_input_does() -> None:
    """As eagerly. In the graph arguments are tracked, as the function may take gradients of them."""
    weight, x = cr.Parameter([2.0, 3.0]), np.ones((3, 2), np.float32)

    def running(rows: Any, start: Any) -> Any:
        total, products = cr.scan(lambda carry, row: (carry + row, carry * row), start, rows)
        return total, products, (rows * weight.detach()).sum(), rows > 0

    eager = [each.requires_grad for each in running(cr.tensor(x), weight)]
    assert eager == [True, True, False, False]
    assert [each.requires_grad for each in cr.compile(lambda rows: running(rows, weight))(x)] == eager
    assert not any(each.requires_grad for each in cr.compile(running)(x, x[0]))


def test_losses_of_training_steps_hold_nothing() -> None:
    """A step that took its gradients itself gives plain numbers, so that summing them up keeps no graph."""
    model = network()
    call = cr.compile(step_of(model, optim.SGD(model.parameters(), lr=0.1)))
    assert not call(*examples()[0]).requires_grad
