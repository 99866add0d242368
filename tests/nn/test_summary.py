"""Summaries of networks."""

from __future__ import annotations

import numpy as np

import chainrule as cr
from chainrule import nn


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))


def test_shapes_and_counts() -> None:
    found = network().summary((1, 8, 8))
    assert [row.shape for row in found.rows] == [(1, 4, 6, 6)] * 3 + [(1, 144), (1, 10)]
    assert [row.parameters for row in found.rows] == [40, 8, 0, 0, 1450]
    assert (found.parameters, found.trained, found.bytes) == (1498, 1498, 4 * 1498)
    assert "Conv2d       n x 4 x 6 x 6          40" in str(found)
    assert "1,498 parameters, 1,498 of them trained" in str(found)


def test_without_an_example_the_layers_are_listed() -> None:
    assert [row.kind for row in network().summary().rows] == ["Conv2d", "BatchNorm2d", "ReLU", "Flatten", "Linear"]


def test_shared_weights_count_once() -> None:
    layer = nn.Linear(3, 3)
    found = nn.Sequential(layer, nn.Tanh(), layer).summary(np.ones((2, 3), np.float32))
    assert [row.parameters for row in found.rows] == [12, 0, 0] and found.parameters == 12


def test_nothing_of_the_network_changes() -> None:
    model = network()
    before, numbers = model.state_dict(), cr.random.default_generator.get_state()
    next(model.children()).requires_grad_(False)
    assert model.summary((1, 8, 8)).trained == 1458
    assert all(each.tobytes() == model.state_dict()[name].tobytes() for name, each in before.items())
    assert cr.random.default_generator.get_state().tobytes() == numbers.tobytes()
    assert "forward" not in model.__dict__ and model.training
