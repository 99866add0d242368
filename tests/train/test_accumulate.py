"""An update from several parts of a batch: compiled it is one loop, whose program and memory do not grow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.capture import capture
from chainrule.dispatch import compiled_function
from chainrule.ir.types import ArrayType, NumpyArray
from chainrule.ops.control import scan
from chainrule.repeated import UnrepeatableError, repeated
from chainrule.train.compiled import step_function
from chainrule.train.step import TrainingStep, as_loss

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.standard_normal((26, 3, 5)).astype(np.float32)
LABELS = RANDOM.integers(0, 3, 26)
WEIGHTS = RANDOM.uniform(0.5, 2, 26).astype(np.float32)


class Network(nn.Module):
    """Running statistics, random numbers, a parameter that is used twice, one that isn't used, a frozen one."""

    def __init__(self) -> None:
        super().__init__()
        self.taps, self.norm, self.drop = nn.Conv1d(3, 4, 3, padding=1), nn.BatchNorm1d(4), nn.Dropout(0.4)
        self.middle, self.last = nn.Linear(20, 20), nn.Linear(20, 3)
        self.unused = nn.Parameter(np.ones(2, np.float32))
        self.frozen = nn.Parameter(np.full(3, 0.3, np.float32), requires_grad=False)

    def forward(self, inputs: Any) -> Any:
        hidden = self.drop(cr.tanh(self.norm(self.taps(inputs)))).reshape((-1, 20))
        return self.last(self.middle(self.middle(hidden))) + self.frozen


def step_of(network: nn.Module, rows: int, **options: Any) -> TrainingStep:
    return TrainingStep(
        network, as_loss("cross_entropy"), optim.SGD(network.parameters(), lr=0.1), rows=rows, **options
    )


def trained(compiled: bool, batch: tuple[Any, ...], rows: int, **options: Any) -> list[NumpyArray]:
    """Loss and outputs of the second update, then all that it left: weights, statistics, the random state."""
    cr.random.manual_seed(3)
    network = Network()
    step = step_of(network, rows, **options)
    update = compiled_function(step_function(step, True)) if compiled else step
    for _ in range(2):
        loss, outputs = update(*map(cr.tensor, batch))
    state = [each.copy() for each in network.state_dict().values()]
    return [loss.numpy(), outputs.numpy(), *state, cr.random.default_generator.get_state()]


@pytest.mark.parametrize("count", [24, 26])
@pytest.mark.parametrize("options", [{}, {"clip_norm": 0.05}])
def test_the_loop_is_one_part_after_the_other(count: int, options: dict[str, Any]) -> None:
    batch = INPUTS[:count], LABELS[:count], *([] if options else [WEIGHTS[:count]])
    found, expected = (trained(compiled, batch, 6, **options) for compiled in (True, False))
    assert len(found) == len(expected) > 10
    for mine, theirs in zip(found, expected, strict=True):
        if theirs.dtype.kind == "f":
            np.testing.assert_allclose(mine, theirs, rtol=2e-4, atol=2e-6)
        else:  # batches counted, the state of random numbers
            np.testing.assert_array_equal(mine, theirs)


def captured(rows: int, count: int) -> Any:
    step = step_function(step_of(nn.Sequential(nn.Flatten(), nn.Linear(15, 3)), rows), True)
    return capture(step, [ArrayType((count, 3, 5), np.dtype("f")), ArrayType((count,), np.dtype("i8"))]).graph


def test_the_program_does_not_grow_with_the_number_of_parts() -> None:
    few, many = captured(4, 8), captured(4, 400)
    assert len(few.equations) == len(many.equations)
    loops = [equation for equation in many.equations if equation.primitive is scan]
    assert loops[0].params["length"] == 100 and len(loops) == 2  # the second adds up the losses
    assert len(captured(8, 12).equations) == len(captured(8, 10).equations) > 0  # one part and a rest: no loop


def test_memory_is_that_of_one_part() -> None:
    network = nn.Sequential(nn.Linear(64, 512), nn.Tanh(), nn.Linear(512, 512), nn.Tanh(), nn.Linear(512, 3))
    sizes = []
    for parts in (2, 12):
        step = compiled_function(step_function(step_of(network, 256), False))
        inputs, labels = np.zeros((256 * parts, 64), np.float32), np.zeros(256 * parts, np.int64)
        forecast = step.memory(inputs, labels)
        sizes.append(forecast.activations + forecast.workspace)
    activations = 256 * 512 * 4
    gradients = 4 * sum(each.size for each in network.parameters())
    assert sizes[1] - sizes[0] < activations / 8
    assert sizes[1] < 3 * gradients + 6 * activations


def test_gradients_from_before_are_added_to() -> None:
    w = cr.Parameter(np.array([1.0, -2.0]))
    count = cr.tensor(np.array(0))

    def part(x: Any) -> Any:
        count.assign(count + 1)
        loss = (w * x).sum() * count
        loss.backward()
        return cr.stop_gradient(loss)

    def whole(xs: Any) -> Any:
        return repeated(part, (xs,)), w.grad

    xs = RANDOM.standard_normal((4, 2))
    w.grad = cr.tensor([10.0, 20.0], dtype="float64")
    count.assign(2)
    losses, gradient = cr.compile(whole)(xs)
    numbers = np.arange(3, 7)
    np.testing.assert_allclose(losses.numpy(), (xs @ [1.0, -2.0]) * numbers, rtol=1e-14)
    np.testing.assert_allclose(gradient.numpy(), [10.0, 20.0] + numbers @ xs, rtol=1e-14)
    assert count.item() == 6 and w.grad is not None
    np.testing.assert_array_equal(w.grad.numpy(), gradient.numpy())


def test_rounds_that_are_not_alike_are_refused_and_nothing_is_changed() -> None:
    w, fresh = cr.Parameter(np.array([1.0, 2.0])), cr.zeros(2, dtype="float64")

    def reads(x: Any) -> Any:
        return x if w.grad is None else x + w.grad

    def forgets(x: Any) -> Any:
        (w * x).sum().backward()
        w.grad = None
        return x

    def writes(x: Any) -> Any:
        fresh.assign(fresh + x)
        return x

    def outside(function: Any) -> Any:
        def whole(xs: Any) -> Any:
            half = w / 2
            with pytest.raises(UnrepeatableError):
                repeated(function or (lambda x: (half * x).sum().backward() or x), (xs,))
            return xs

        return whole

    for function in (reads, forgets, writes, None):
        cr.compile(outside(function))(np.ones((3, 2)))
        assert w.grad is None and w.numpy().tolist() == [1.0, 2.0] and fresh.numpy().tolist() == [0.0, 0.0]
