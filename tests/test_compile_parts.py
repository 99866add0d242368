"""Modules that a compiled function puts into others: as eagerly, or an error that leaves all as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import TraceError

pytestmark = pytest.mark.filterwarnings("ignore::chainrule.compiler.running.function.RecompileWarning")

X = np.ones((4, 2), np.float32)
LAYERS: list[Callable[[], nn.Module]] = [nn.ReLU, lambda: nn.Linear(2, 2), lambda: nn.BatchNorm1d(2), nn.PReLU]


class Growing(nn.Module):
    def __init__(self, make: Callable[[], nn.Module], into: Any) -> None:
        super().__init__()
        self.make, self.layers, self.head = make, into, nn.Linear(2, 2)

    def forward(self, x: Any) -> Any:
        self.layers.append(self.make())
        return self.head(x)


@pytest.mark.parametrize("make", LAYERS)
@pytest.mark.parametrize("kind", [nn.ModuleList, nn.Sequential])
def test_one_more_at_each_call_is_an_error(make: Callable[[], nn.Module], kind: Any) -> None:
    layers = kind()

    def step(x: Any) -> Any:
        layers.append(make())
        for layer in layers:
            x = layer(x)
        return x.sum()

    growing = Growing(make, kind())
    calls: list[Any] = [
        lambda: cr.compile(step)(X),
        lambda: cr.compile(step).epoch(X, batch_size=2),
        lambda: cr.compile(growing)(X),
        lambda: cr.compile(growing).epoch(X, batch_size=2),
    ]
    for call in calls:
        with pytest.raises(TraceError, match=r"at each call.*Build the model before the first call"):
            call()
        assert len(layers) == len(growing.layers) == 0


def test_layers_that_are_appended_to_a_list() -> None:
    """Without tensors it is traced anew; a layer with weights would be one of the trace."""
    layers: list[nn.Module] = []

    def step(x: Any, make: Callable[[], nn.Module]) -> Any:
        layers.append(make())
        for layer in layers:
            x = layer(x)
        return x * len(layers)

    compiled = cr.compile(step)
    with pytest.warns(UserWarning, match="a list that it reads is not what it was"):
        for number in (1, 2, 3):
            np.testing.assert_array_equal(compiled(X, nn.ReLU), number * X)
            assert len(layers) == number
    with pytest.raises(TraceError, match="as a new layer does"):
        compiled(X, nn.PReLU)
    assert len(layers) == 3


def test_a_list_that_is_only_added_to_gets_one_of_each_trace() -> None:
    growing = Growing(lambda: nn.Linear(2, 2), [])
    compiled = cr.compile(growing)
    expected = growing.head(X)
    np.testing.assert_allclose(compiled(X), expected, 1e-6)
    assert len(growing.layers) == 1  # although it was traced twice


@pytest.mark.parametrize("kind", [nn.ModuleList, list])
def test_one_that_is_missing_is_put_there_once(kind: Any) -> None:
    layers = kind([nn.Linear(2, 2)])

    @cr.compile
    def step(x: Any) -> Any:
        if len(layers) < 2:
            layers.append(nn.Tanh())
        for layer in layers:
            x = layer(x)
        return x

    expected = np.tanh(np.asarray(layers[0](X)))
    for _ in range(3):
        np.testing.assert_allclose(step(X), expected, 1e-6)
        assert len(layers) == 2
