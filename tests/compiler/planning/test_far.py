"""What is read much later is written past the caches: the same bits, as much memory, and nothing that is read soon."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler.machine.runtime import host
from chainrule.compiler.machine.targets import target_named
from chainrule.compiler.planning import far
from chainrule.compiler.products import epilogue

on_x86 = pytest.mark.skipif(not host().has_past_caches, reason="x86 only")
NEVER = 1 << 60


def loss(weights: Any, x: Any) -> Any:
    for weight in weights:
        x = cr.nn.functional.gelu(x @ weight + weight[0])
    return cr.sum(x)


def normalised(x: Any, w: Any) -> Any:
    """What a later phase of the same nest reads at once, others much later."""
    deviations = cr.exp(x)
    scaled = deviations / cr.sum(deviations, axis=1, keepdims=True)
    return cr.sum(cr.sin(cr.sin(scaled @ w) @ w) * scaled, axis=0)


def arrays(rows: int, width: int) -> tuple[list[np.ndarray[Any, Any]], np.ndarray[Any, Any]]:
    random = np.random.default_rng(rows + width)
    weights = [random.standard_normal((width, width)).astype(np.float32) / np.float32(width**0.5) for _ in range(3)]
    return weights, random.standard_normal((rows, width)).astype(np.float32)


def run(threads: int, rows: int, width: int) -> tuple[int, int, list[bytes]]:
    """How many stores go past the caches, bytes of the arena, the gradients' bits."""
    weights, x = arrays(rows, width)
    step = cr.compile(cr.grad(loss), threads=threads)
    gradients = step(weights, x)
    program = step.program(weights, x).compiled.program
    return (
        program.module.text().count("!nontemporal"),
        program.arena_bytes,
        [each.numpy().tobytes() for each in gradients],
    )


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(far, "LEAST_BYTES", 16 << 10)
    monkeypatch.setattr(far, "FAR_BYTES", 100 << 10)
    monkeypatch.setenv("CHAINRULE_CACHE_DIR", "")


@on_x86
@pytest.mark.parametrize("behind_products", [0, NEVER])
def test_the_same_bits_and_as_much_memory(behind_products: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epilogue, "LEAST_BYTES", behind_products)
    past, arena, bits = run(1, 101, 128)
    assert past > 0
    assert run(3, 101, 128) == (past, arena, bits)
    monkeypatch.setattr(far, "FAR_BYTES", NEVER)
    assert run(1, 101, 128) == (0, arena, bits)


def test_rows_that_begin_within_a_line_go_the_usual_way() -> None:
    assert run(1, 101, 120)[0] == 0


def test_what_the_same_nest_reads_again_is_near() -> None:
    (w, *_), x = arrays(101, 128)
    step = cr.compile(normalised)
    found = step(x, w).numpy()
    assert "!nontemporal" not in step.program(x, w).compiled.program.module.text()
    scaled = np.exp(x.astype(float))
    scaled /= scaled.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, (np.sin(np.sin(scaled @ w) @ w) * scaled).sum(axis=0), rtol=1e-4, atol=1e-6)


def test_only_where_a_line_is_fetched_before_it_is_written() -> None:
    assert target_named("x86-64").has_past_caches and not target_named("aarch64").has_past_caches
