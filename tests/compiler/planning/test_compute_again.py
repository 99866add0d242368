"""What the backward pass would keep is computed again: less memory, the same results."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.compiler.compile import compile_graph, lowered, run_once
from chainrule.compiler.planning import compute_again, repeat
from chainrule.trace import trace

ROWS, WIDTH = 512, 256
random = np.random.default_rng(5)
WEIGHTS = [0.1 * random.standard_normal((WIDTH, WIDTH)).astype(np.float32) for _ in range(3)]
INPUT = random.standard_normal((ROWS, WIDTH)).astype(np.float32)


def network(activation: Any) -> Any:
    def loss(x: Any, *weights: Any) -> Any:
        for weight in weights:
            x = activation(nn.functional.layer_norm(x @ weight, (WIDTH,)))
        return cr.sum(x * x) / ROWS

    return lambda x, *weights: cr.value_and_grad(loss, argnums=(1, 2, 3))(x, *weights)


def in_parts(x: Any) -> Any:
    """gelu, where its slope is not known before the cotangent: x is kept, and most of it computed again."""
    return 0.5 * x * cr.erfc(x * -(0.5**0.5))


@pytest.mark.parametrize("name", ["in_parts", "gelu", "silu", "softplus", "tanh"])
def test_the_results_are_those_of_eager_calls_and_memory_is_less(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    function = network(in_parts if name == "in_parts" else getattr(nn.functional, name, None) or getattr(cr, name))
    again = compile_graph(trace(function)(INPUT, *WEIGHTS))
    bytes_again = lowered(again.job).program.arena_bytes
    arrays = [INPUT, *WEIGHTS]
    first = run_once(again, arrays)
    loss, gradients = function(*map(cr.tensor, arrays))
    for one, other in zip(first, (loss, *gradients), strict=True):
        np.testing.assert_allclose(one, other.numpy(), rtol=1e-4, atol=1e-4 * np.abs(other.numpy()).max())
    for threads in (2, 3, 8):
        for one, other in zip(first, run_once(again, arrays, threads), strict=True):
            np.testing.assert_array_equal(one, other)
    monkeypatch.setattr(compute_again, "LARGE", 1 << 60)
    monkeypatch.setattr(repeat, "LARGE", 1 << 60)
    bytes_kept = lowered(again.job).program.arena_bytes
    assert bytes_again <= bytes_kept * (0.75 if name == "in_parts" else 1)


def test_guests_are_never_stored_and_every_value_has_one_home() -> None:
    units = compile_graph(trace(network(nn.functional.gelu))(INPUT, *WEIGHTS)).lowered.units
    homes = [id(e) for unit in units for e in unit.members if id(e) not in unit.guests]
    assert len(homes) == len(set(homes))
    assert any(unit.guests for unit in units)
