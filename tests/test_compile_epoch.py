"""`epoch` of a compiled function: many steps in one native call, as if they were made one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.steps import step_of

import chainrule as cr
from chainrule import nn, optim
from chainrule.errors import ConfigurationError, DataError, DtypeError, OutOfRangeError

GENERATOR = np.random.default_rng(0)
INPUTS = GENERATOR.standard_normal((23, 5)).astype(np.float32)
TARGETS = GENERATOR.standard_normal((23, 2)).astype(np.float32)


def made(threads: int | None = None) -> tuple[nn.Module, optim.Optimizer, Any]:
    cr.random.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Dropout(0.2), nn.Linear(7, 2))
    optimizer = optim.Adam(model.parameters(), lr=0.01)

    step = step_of(model, optimizer, nn.functional.mse_loss)
    return model, optimizer, cr.compile(step, threads=threads)


def test_an_epoch_is_its_steps_bit_for_bit() -> None:
    """In the order given, the short batch last, random numbers going on from step to step."""
    order = np.random.default_rng(1).permutation(23)
    one, _, step = made()
    losses = step.epoch(INPUTS, TARGETS, batch_size=5, order=order)
    assert losses.shape == (5,)
    two, _, again = made()
    again.memory(INPUTS[:3], TARGETS[:3])
    again.memory(INPUTS[:5], TARGETS[:5])
    singly = [
        again(INPUTS[rows], TARGETS[rows]).numpy() for rows in (order[:5], order[5:10], order[10:15], order[15:20])
    ]
    singly.append(again(INPUTS[order[20:]], TARGETS[order[20:]]).numpy())
    assert losses.numpy().tobytes() == np.stack(singly).tobytes()
    for name, array in one.state_dict().items():
        assert array.tobytes() == two.state_dict()[name].tobytes()


def test_the_short_batch_is_compiled_before_the_first_step() -> None:
    """So that nothing is compiled in mid-training, and the next epoch compiles nothing."""
    _, _, step = made()
    step.epoch(INPUTS, TARGETS, batch_size=5)
    assert len(step._entries) == 2
    step.epoch(INPUTS, TARGETS, batch_size=5)
    assert len(step._entries) == 2


def test_results_are_stacked_in_their_nest() -> None:
    call = cr.compile(lambda x, y: {"sum": (x * y[:, :1]).sum(), "rows": (x.sum(0), y)})
    found = call.epoch(INPUTS[:20], TARGETS[:20], batch_size=4)
    assert found["sum"].shape == (5,)
    np.testing.assert_allclose(
        found["sum"].numpy(), (INPUTS[:20] * TARGETS[:20, :1]).reshape(5, -1).sum(1), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(found["rows"][1].numpy(), TARGETS[:20].reshape(5, 4, 2))
    np.testing.assert_allclose(found["rows"][0].numpy(), INPUTS[:20].reshape(5, 4, 5).sum(1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("result", "expected"), [(None, None), (2.5, [2.5, 2.5])])
def test_a_function_that_computes_nothing(result: Any, expected: Any) -> None:
    losses = cr.compile(lambda x: result).epoch(INPUTS, batch_size=12)
    assert losses is expected or losses.numpy().tolist() == expected


def test_rows_may_come_several_times_or_never() -> None:
    call = cr.compile(lambda x: x.sum())
    order = [3, 3, 3, 0, 22, 1]
    found = call.epoch(INPUTS, batch_size=2, order=order)
    np.testing.assert_allclose(found.numpy(), INPUTS[order].reshape(3, -1).sum(1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["float64", "int64", "int8", "uint8", "bool"])
@pytest.mark.parametrize("width", [1, 3, 17, 40])
def test_rows_of_any_size_are_gathered(kind: str, width: int) -> None:
    rows = (GENERATOR.standard_normal((11, width)) * 40).astype(kind)
    order = GENERATOR.permutation(11)
    found = cr.compile(lambda x: x + x).epoch(rows, batch_size=11, order=order)
    np.testing.assert_array_equal(found.numpy()[0], (rows + rows)[order])


def test_the_learning_rate_of_now() -> None:
    model, optimizer, step = made()
    step.epoch(INPUTS, TARGETS, batch_size=5)
    before = {name: np.array(array) for name, array in model.state_dict().items()}
    optimizer.param_groups[0]["lr"] = 0.0
    step.epoch(INPUTS, TARGETS, batch_size=5)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


BITS: dict[str, bytes] = {}


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_move_no_bit(threads: int) -> None:
    """Enough work that several threads are woken for it."""
    cr.random.manual_seed(0)
    model = nn.Linear(300, 300)
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step(x: Any) -> Any:
        loss = (cr.tanh(model(x)) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    call = cr.compile(step, threads=threads)
    rows = np.random.default_rng(0).standard_normal((50, 300)).astype(np.float32)
    losses = call.epoch(rows, batch_size=20)
    entry = next(iter(call._entries.values()))[0]
    assert entry.threads == threads
    bits = model.weight.numpy().tobytes() + losses.numpy().tobytes()
    assert bits == BITS.setdefault("first", bits)


def test_errors() -> None:
    call = cr.compile(lambda x, y=None: x.sum())
    with pytest.raises(DataError, match="all as long"):
        call.epoch(INPUTS, TARGETS[:5], batch_size=5)
    with pytest.raises(DataError, match="one row an example"):
        call.epoch(np.float32(3), batch_size=5)
    with pytest.raises(DataError, match="one row an example"):
        call.epoch(batch_size=5)
    with pytest.raises(ConfigurationError, match="at least 1"):
        call.epoch(INPUTS, batch_size=0)
    with pytest.raises(OutOfRangeError, match="rows from 0 to 23, of 23"):
        call.epoch(INPUTS, batch_size=2, order=[0, 23])
    with pytest.raises(OutOfRangeError, match="rows from -1 to 2, of 23"):
        call.epoch(INPUTS, batch_size=2, order=[-1, 2])
    for size in (None, "3", 2.5, True):
        with pytest.raises(ConfigurationError, match="an integer of at least 1"):
            call.epoch(INPUTS, batch_size=size)
    for order in (np.ones(23, bool), np.arange(4) + 0.5, np.arange(22).reshape(11, 2), ["a"], 3):
        with pytest.raises(DataError, match="row numbers"):
            call.epoch(INPUTS, batch_size=2, order=order)
    with pytest.raises(DataError, match="no rows"):
        call.epoch(INPUTS[:0], batch_size=2)
    with pytest.raises(DataError, match="smaller last batch"):
        cr.compile(lambda x: x * 2).epoch(INPUTS, batch_size=5)


def test_an_index_out_of_range_in_an_epoch() -> None:
    call = cr.compile(lambda x: cr.take(x[:, 0], cr.astype(x[:, 1], "int64")).sum())
    rows = np.zeros((8, 2), np.float32)
    rows[5, 1] = 99
    with pytest.raises(OutOfRangeError):
        call.epoch(rows, batch_size=2)
    assert call.epoch(rows[:4], batch_size=2).tolist() == [0, 0]


# -- loops inside


def test_a_recurrence_over_1000_steps_compiles_to_a_loop_with_gradients() -> None:
    """As many kernels for 1,000 steps as for 10, and the gradient is that of the unrolled recurrence."""
    weights = np.float64([[0.3, -0.5], [0.7, 0.1]])

    def loss(w: Any, xs: Any) -> Any:
        last, outputs = cr.scan(lambda h, x: ((h2 := cr.tanh(h @ w + x)), h2.sum()), cr.zeros(2, "float64"), xs)
        return (last * last).sum() + 0.01 * outputs.mean()

    call = cr.compile(cr.value_and_grad(loss))
    xs = GENERATOR.standard_normal((1000, 2))
    kernels = [len(str(call.program(weights, xs[:steps]).compiled.program).splitlines()) for steps in (10, 1000)]
    assert kernels[0] == kernels[1] < 80
    value, gradient = call(weights, xs)
    expected, by_hand = unrolled(weights, xs)
    assert value.item() == pytest.approx(expected)
    np.testing.assert_allclose(gradient.numpy(), by_hand, rtol=1e-9)


def unrolled(w: np.ndarray, xs: np.ndarray) -> tuple[float, np.ndarray]:
    """Backpropagation through time in NumPy."""
    states = [np.zeros(2)]
    for x in xs:
        states.append(np.tanh(states[-1] @ w + x))
    value = float((states[-1] ** 2).sum() + 0.01 * np.mean([state.sum() for state in states[1:]]))
    gradient, back = np.zeros_like(w), 2 * states[-1]
    for before, after in zip(states[-2::-1], states[:0:-1]):
        inner = (back + 0.01 / len(xs)) * (1 - after**2)
        gradient += np.outer(before, inner)
        back = w @ inner
    return value, gradient


@pytest.mark.parametrize("which", [0, 1])
def test_rows_with_bytes_in_the_other_order(which: int) -> None:
    """A program reads the processor's order: data from a file of another machine was taken for other numbers."""
    arrays = [INPUTS, TARGETS]
    arrays[which] = arrays[which].astype(arrays[which].dtype.newbyteorder())
    found = made()[2].epoch(*arrays, batch_size=23)
    assert found.numpy() == made()[2].epoch(INPUTS, TARGETS, batch_size=23).numpy()


@pytest.mark.parametrize("kind", ["float16", "U3", "M8[s]"])
def test_rows_that_no_program_takes(kind: str) -> None:
    with pytest.raises(DtypeError, match="not supported"):
        cr.compile(lambda x: x.sum()).epoch(np.zeros((4, 2)).astype(kind), batch_size=2)
