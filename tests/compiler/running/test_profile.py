"""The profile of a compiled function: every kernel in order, and nothing that the function would change is."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.steps import step_of

import chainrule as cr
from chainrule import nn, optim


def test_a_profile_has_every_kernel_and_leaves_the_weights() -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    step = cr.compile(step_of(model, optim.SGD(model.parameters(), lr=0.1, momentum=0.9)))
    x, labels = np.ones((4, 8), np.float32), np.zeros(4, np.int64)
    step(x, labels)
    before = {name: np.array(value) for name, value in model.state_dict().items()}
    kernels = step.profile(x, labels, runs=2)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(np.array(value), before[name])
    program = step.program(x, labels).compiled.program
    assert [each.label for each in kernels] == [call.label for call in program.instructions]
    assert all(each.seconds >= 0 for each in kernels)
    assert sum("matmul" in each.label for each in kernels) >= 5


def test_a_loop_counts_all_its_rounds() -> None:
    @cr.compile
    def powers(x: Any) -> Any:
        return cr.scan(lambda carry, _: (carry * 1.5, carry), x, length=300)[0]

    x = np.ones(5_000, np.float32)
    result = powers(x)
    kernels = powers.profile(x, runs=2)
    np.testing.assert_array_equal(powers(x).numpy(), result.numpy())
    assert kernels
    assert sum(each.seconds for each in kernels) > 0
