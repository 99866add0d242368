"""Compiled functions where Python has more than plain functions: methods, copies, pickles, generators."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.compiler.running.function import RecompileWarning
from chainrule.errors import ConfigurationError

ROWS = np.linspace(-1, 1, 60, dtype=np.float32).reshape(20, 3)


class Trainer:
    scale = 2.0

    def __init__(self) -> None:
        cr.random.manual_seed(0)
        self.model = nn.Linear(3, 1)
        self.optimizer = optim.SGD(self.model.parameters(), lr=0.1)

    @cr.compile
    def step(self, x: Any) -> Any:
        loss = (self.model(x) ** 2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

    @cr.compile
    @staticmethod
    def doubled(x: Any) -> Any:
        return x * 2

    @cr.compile
    @classmethod
    def scaled(cls, x: Any) -> Any:
        return x * cls.scale


class Larger(Trainer):
    scale = 3.0


@cr.compile
def halved(x: Any) -> Any:
    return x / 2


def test_a_method_has_what_a_function_has() -> None:
    one, other = Trainer(), Trainer()
    assert one.step.memory(ROWS[:8]).total > 0
    assert one.step.profile(ROWS[:8], runs=1)
    assert "graph" in one.step.program(ROWS[:8]).show("graph")
    one.step.check()
    epoch = one.step.epoch(ROWS, batch_size=8)
    other.step(ROWS[:8])  # a program of its own, and nothing to warn of
    steps = [float(epoch[0]), *(float(Trainer.step.function(other, ROWS[start : start + 8])) for start in (8, 16))]
    np.testing.assert_allclose(epoch.numpy(), steps, rtol=1e-5)
    np.testing.assert_allclose(one.model.weight.numpy(), other.model.weight.numpy(), rtol=1e-5)
    again = one.step.epoch(ROWS, batch_size=8, order=np.arange(16))
    assert again[0] < epoch[0]


def test_compiled_over_static_and_class_methods() -> None:
    x = cr.ones(2)
    for owner in (Trainer, Trainer()):
        np.testing.assert_array_equal(owner.doubled(x).numpy(), [2.0, 2.0])
        np.testing.assert_array_equal(owner.scaled(x).numpy(), [2.0, 2.0])
    with pytest.warns(RecompileWarning, match="argument cls"):
        np.testing.assert_array_equal(Larger.scaled(x).numpy(), [3.0, 3.0])


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(3, 2)
        self.fast = cr.compile(self.inner)

    @cr.compile
    def forward(self, x: Any) -> Any:
        return self.inner(x) * 2


def test_a_compiled_forward_of_two_networks() -> None:
    with cr.no_grad():
        for network in (Network(), Network()):
            np.testing.assert_allclose(network(ROWS).numpy(), 2 * network.inner(ROWS).numpy(), rtol=1e-6)


def test_a_copied_network_runs_on_its_own_weights() -> None:
    network = Network()
    with cr.no_grad():
        network.fast(ROWS)
        twin = copy.deepcopy(network)
        twin.inner.weight.assign(twin.inner.weight * 3)
        np.testing.assert_allclose(twin.fast(ROWS).numpy(), twin.inner(ROWS).numpy(), rtol=1e-6)
        np.testing.assert_allclose(network.fast(ROWS).numpy(), network.inner(ROWS).numpy(), rtol=1e-6)


def test_a_function_is_pickled_and_copied_as_functions_are() -> None:
    assert pickle.loads(pickle.dumps(halved)) is halved
    assert copy.copy(halved) is halved
    assert copy.deepcopy({"f": halved})["f"] is halved
    assert pickle.loads(pickle.dumps(Trainer.step)) is Trainer.step
    other = pickle.loads(pickle.dumps(cr.compile(np.negative, threads=1)))
    assert (other.function, other.threads) == (np.negative, 1)


def test_what_gives_its_results_later_is_refused_where_it_is_compiled() -> None:
    def pieces(x: Any) -> Any:
        yield x

    async def later(x: Any) -> Any:
        return x

    for function, kind in ((pieces, "a generator"), (later, "async")):
        with pytest.raises(ConfigurationError, match=f"{function.__name__} is {kind}"):
            cr.compile(function)
    with pytest.raises(ConfigurationError, match="not 3"):
        cr.compile(3)
