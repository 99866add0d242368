"""What the backward pass would keep is computed again: less memory, the same results."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.compiler import compute_again as module
from chainrule.compiler.compile import Compiled, compile_graph, run_once
from chainrule.trace import trace

ROWS, WIDTH = 512, 256
random = np.random.default_rng(5)
WEIGHTS = [0.1 * random.standard_normal((WIDTH, WIDTH)).astype(np.float32) for _ in range(3)]
INPUT = random.standard_normal((ROWS, WIDTH)).astype(np.float32)


def network(activation: Any) -> Any:
    def loss(x: Any, *weights: Any) -> Any:
        for weight in weights:
            x = activation(nn.functional.layer_norm(x @ weight, (WIDTH,)))
        return cr.sum(x * x)

    return lambda x, *weights: cr.value_and_grad(loss, argnums=(1, 2, 3))(x, *weights)


def both(activation: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Compiled, Compiled]:
    """The program with values computed again, and the one that keeps them."""
    graph = trace(network(activation))(INPUT, *WEIGHTS)
    again = compile_graph(graph)
    monkeypatch.setattr(module, "LARGE", 1 << 60)
    return again, compile_graph(graph)


@pytest.mark.parametrize("name", ["gelu", "silu", "softplus", "tanh"])
def test_the_results_are_those_of_kept_values_and_memory_is_less(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    again, kept = both(getattr(nn.functional, name, None) or getattr(cr, name), monkeypatch)
    assert again.program.arena_bytes <= kept.program.arena_bytes
    if name == "gelu":
        assert again.program.arena_bytes < 0.75 * kept.program.arena_bytes
    arrays = [INPUT, *WEIGHTS]
    first = run_once(again, arrays)
    for one, other in zip(first, run_once(kept, arrays), strict=True):  # only how rows are summed may differ
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=2e-5 * np.abs(other).max())
    for one, other in zip(first, run_once(again, arrays, 3), strict=True):
        np.testing.assert_array_equal(one, other)


def test_guests_are_never_stored_and_every_value_has_one_home(monkeypatch: pytest.MonkeyPatch) -> None:
    again, _ = both(nn.functional.gelu, monkeypatch)
    homes = [id(e) for unit in again.units for e in unit.members if id(e) not in unit.guests]
    assert len(homes) == len(set(homes))
    assert any(unit.guests for unit in again.units)
