"""Kernels that are done task by task: the same bits as one after another, at any number of threads."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.compiler.compile import compile_graph, run_once
from chainrule.compiler.planning import chains
from chainrule.compiler.planning.place import Buffer, Kind, Place
from chainrule.trace import trace

PARTS = np.random.default_rng(2).standard_normal((2, 64, 3, 4, 16)).astype(np.float32)


def attention(parts: Any) -> Any:
    """Gradients of queries, keys and values, side by side: three products write into one array."""

    def loss(parts: Any) -> Any:
        q, k, v = cr.permute_dims(parts, (2, 0, 3, 1, 4))
        seen = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return cr.sum(cr.sin(cr.permute_dims(seen, (0, 2, 1, 3)).reshape((2, 64, 64))))

    return cr.value_and_grad(loss)(parts)


def both_ways(
    function: Any, arrays: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> tuple[list[chains.Chain], list[Any]]:
    """The chains of a program that has some, and its results; those are the same without any."""
    monkeypatch.setattr(chains, "LEAST_PART", 0)
    results, found = {}, {}
    for name, least in (("together", 0), ("apart", 1 << 60)):
        monkeypatch.setenv("CHAINRULE_CACHE_DIR", str(tmp_path / name))
        monkeypatch.setattr(chains, "LARGE", least)
        compiled = compile_graph(trace(function)(*arrays))
        found[name] = [each for each in compiled.program.instructions if isinstance(each, chains.Chain)]
        results[name] = [run_once(compiled, arrays, threads) for threads in (1, 2, 3, 8)]
    for one, *others in zip(*results["together"], *results["apart"]):
        assert all(one.tobytes() == other.tobytes() for other in others)
    assert not found["apart"]
    return found["together"], results["together"][0]


def test_the_same_bits_as_one_after_another(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found, _ = both_ways(attention, [PARTS], monkeypatch, tmp_path)
    longest = max(found, key=lambda chain: len(chain.body))
    assert sum("matmul" in call.label for call in longest.body) == 4
    assert longest.tasks == 8
    assert longest.private


def test_rows_are_done_with_the_sums_over_some_of_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A task of the sums over 32 rows each is 32 tasks of the nest that computes them."""
    x = np.sin(np.arange(16 * 32 * 64, dtype=np.float32)).reshape(16, 32, 64)

    def norm(x: Any) -> Any:
        gradient = cr.grad(lambda x: cr.sum(nn.functional.layer_norm(cr.tanh(x), (64,)) ** 3))(x)
        return gradient, cr.sum(gradient, axis=1)

    found, results = both_ways(norm, [x], monkeypatch, tmp_path)
    assert [({call.tasks for call in chain.body}, chain.tasks) for chain in found] == [({16, 512}, 16)]
    for one, other in zip(results, norm(cr.tensor(x)), strict=True):
        np.testing.assert_allclose(one, other.numpy(), rtol=1e-3, atol=1e-4)


def test_a_profile_counts_them_as_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CHAINRULE_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(chains, "LEAST_PART", 0)
    monkeypatch.setattr(chains, "LARGE", 0)
    step = cr.compile(attention, threads=2)
    times = step.profile(PARTS, runs=1)
    assert [each.seconds > 0 for each in times if "; " in each.label] == [True, True]


@pytest.mark.parametrize("offset", [0, 2, 3, 6, 7, 12, 24, 25])
def test_places_of_one_array_are_known_to_be_apart(offset: int) -> None:
    """Against all elements listed."""
    buffer = Buffer(np.dtype(np.float32), 96, Kind.ARENA)
    one = Place(buffer, buffer.dtype, (2, 4, 2), (24, 6, 1))
    other = Place(buffer, buffer.dtype, (2, 2, 4), (24, 1, 6), offset)
    elements = [
        {
            each.offset + sum(map(int.__mul__, index, each.strides))
            for index in itertools.product(*map(range, each.shape))
        }
        for each in (one, other)
    ]
    assert chains._may_meet(one, other) == bool(elements[0] & elements[1])
