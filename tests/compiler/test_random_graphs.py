"""Random graphs with gradients, compiled against the reference. `python tests/fuzz_compiled.py` tries many more."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler.machine import cache
from chainrule.ir.graph import Graph
from chainrule.ir.primitive import all_primitives

from .agreement import Rounding, check, differences
from .random_graphs import graph_of, program

CHUNK = 8


@pytest.fixture(autouse=True)
def no_cache() -> object:
    before = list(cache._chosen)
    cache.set_directory(None)
    yield
    cache._chosen[:] = before


@pytest.mark.parametrize("first", range(0, 48, CHUNK))
def test_native_code_agrees_with_the_reference(first: int) -> None:
    for seed in range(first, first + CHUNK):
        with np.errstate(all="ignore"):
            chosen = program(seed)
            graph, in_place = graph_of(chosen)
            check(graph, chosen.inputs, in_place if seed % 2 else None, threads=2 + seed % 3)


@pytest.mark.parametrize("seed", [2000407, 2000530, 2005510])
def test_programs_that_once_disagreed(seed: int) -> None:
    with np.errstate(all="ignore"):
        chosen = program(seed)
        graph, in_place = graph_of(chosen)
        check(graph, chosen.inputs, in_place if seed % 2 else None, threads=2)


def primitives_of(graph: Graph) -> set[str]:
    found = set()
    for equation in graph.equations:
        found.add(equation.primitive.name)
        for parameter in equation.params.values():
            for body in parameter if isinstance(parameter, tuple) else (parameter,):
                found |= primitives_of(body) if isinstance(body, Graph) else set()
    return found


ELSEWHERE = {
    "custom_gradient",  # the user's own derivative, which is checked at its first use
    *("bfloat16_rounded", "bfloat16_rounded_back"),  # a last bit decides how they round: see tests/test_autocast.py
}


def test_the_programs_reach_every_primitive() -> None:
    found: set[str] = set()
    wanted = set(all_primitives()) - ELSEWHERE
    seed = 0
    while wanted - found and seed < 1000:
        with np.errstate(all="ignore"):
            found |= primitives_of(graph_of(program(seed))[0])
        seed += 1
    assert wanted - found == set()


def test_the_bound_is_of_the_size_of_rounding() -> None:
    """Well-determined outputs are held to a few units in the last place, cancelled ones are not."""
    x = np.array([1.0, 2.0, 3.0], np.float32)
    exact = cr.trace(lambda x: x * 3.0)(x)
    cancelled = cr.trace(lambda x: (x * 3.0 + 1e6) - 1e6)(x)
    for graph, allowed in ((exact, 1e-3), (cancelled, 50.0)):
        expected = graph_outputs(graph, x)
        runs = [Rounding(seed).run(graph, [x])[0] for seed in range(6)]
        assert not differences(expected, expected, runs)
        assert differences(expected, expected + np.float32(allowed), runs)
    expected = graph_outputs(cancelled, x)
    assert not differences(
        expected, expected + np.float32(0.05), [Rounding(seed).run(cancelled, [x])[0] for seed in range(6)]
    )


def graph_outputs(graph: Graph, *inputs: np.ndarray) -> np.ndarray:
    from chainrule.reference import run

    return run(graph, inputs)[0]
