"""What is said of nests takes time by their length, however many ways lead from one value to another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr


@pytest.mark.parametrize("axis", [0, 1])
def test_a_chain_in_which_each_value_is_read_twice(axis: int) -> None:
    def computed(x: Any) -> Any:
        z, w = cr.tanh(x - cr.mean(x, axis=axis, keepdims=True)), x
        for _ in range(40):  # a billion ways lead from its end to its beginning
            z, w = z * w + 0.1, z - w
        return cr.sum(z * cr.sum(w, axis=axis, keepdims=True), axis=axis)

    x = np.random.default_rng(0).uniform(-0.5, 0.5, (1000, 1000)).astype(np.float32)
    np.testing.assert_allclose(
        cr.compile(computed)(x).numpy(), computed(cr.tensor(x)).numpy(), rtol=1e-3, atol=1
    )  # of 1e4
