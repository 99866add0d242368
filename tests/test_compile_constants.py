"""Tensors outside a compiled function that hold what an operation gave: part of the program until they are changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.compiler.running.function import RecompileWarning

MADE: dict[str, Callable[[], cr.Tensor]] = {
    "an operation": lambda: cr.ones(2) * 1,
    "clone": lambda: cr.ones(2).clone(),
    "detach": lambda: nn.Parameter(cr.ones(2)).detach(),
    "a part": lambda: cr.ones(4)[:2],
}


def put_in_place(x: cr.Tensor) -> None:
    x.assign(cr.full((2,), 3.0))


def add(x: cr.Tensor) -> None:
    x += 1


def change_an_item(x: cr.Tensor) -> None:
    x[0] = 7.0


def set_data(x: cr.Tensor) -> None:
    x.data = cr.full((2,), 5.0)


@pytest.mark.parametrize("change", [put_in_place, add, change_an_item, set_data])
@pytest.mark.parametrize("made", MADE)
def test_a_change_counts_as_it_does_eagerly(made: str, change: Callable[[cr.Tensor], None]) -> None:
    held = [MADE[made]()]

    def function(x: Any) -> Any:
        return x * held[0]

    compiled = cr.compile(function)
    x = cr.tensor([1.0, 2.0])
    compiled(x)
    change(held[0])
    with pytest.warns(RecompileWarning, match="what a tensor holds"):
        changed = compiled(x)
    np.testing.assert_array_equal(changed.numpy(), function(x).numpy())


def test_what_changes_again_and_again_is_a_cell() -> None:
    traced = []
    average = MADE["clone"]()

    @cr.compile
    def function(x: Any) -> Any:
        traced.append(1)
        return x + average

    function(cr.ones(2))
    with pytest.warns(RecompileWarning):
        for count in range(1, 6):
            average += 1
            np.testing.assert_array_equal(function(cr.ones(2)).numpy(), [count + 2.0] * 2)
    assert len(traced) == 2


def test_a_target_network_made_of_copies_follows() -> None:
    model = nn.Linear(3, 1, bias=False)
    target = [parameter.detach().clone() for parameter in model.parameters()]
    evaluate = cr.compile(lambda x: (x @ target[0].T).sum())
    evaluate(cr.ones((2, 3)))
    target[0].copy_(cr.full((1, 3), 2.0))
    with pytest.warns(RecompileWarning):
        assert float(evaluate(cr.ones((2, 3)))) == 12.0


def test_buffers_made_by_operations_are_loaded() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("scale", cr.ones(2) * 2)

        def forward(self, x: Any) -> Any:
            return x * self.scale

    module = Scaled()
    compiled = cr.compile(module)
    compiled(cr.ones(2))
    module.load_state_dict({"scale": np.full(2, 9.0, np.float32)})
    with pytest.warns(RecompileWarning):
        np.testing.assert_array_equal(compiled(cr.ones(2)).numpy(), [9.0, 9.0])


def test_a_training_step_that_reads_gradients_is_traced_once() -> None:
    traced = []
    weight = nn.Parameter(cr.ones(2))

    @cr.compile
    def step(x: Any) -> Any:
        traced.append(1)
        weight.grad = None
        (weight * x).sum().backward()
        with cr.no_grad():
            weight.sub_(weight.grad * 0.1)
        return weight.sum()

    for _ in range(4):
        step(cr.ones(2))
    assert len(traced) <= 2
