"""Products of bfloat16 in pairs: the graph, the numbers without the instruction, the instruction."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.capture import capture
from chainrule.compiler.compile import compile_graph, run_once
from chainrule.compiler.machine.runtime import compiling_for, host, pairs_with
from chainrule.compiler.machine.targets import target_named
from chainrule.compiler.rewrites.pairs import take_pairs
from chainrule.compiler.text.target import Target
from chainrule.ir.graph import Graph
from chainrule.ir.types import ArrayType, float32
from chainrule.passes import run_passes
from chainrule.reference import run

RANDOM = np.random.default_rng(0)
WIDENED = replace(host(), bfloat16="widened")
TARGETS = [WIDENED, *([host()] if host().bfloat16 else [])]
"""Where this processor has the instruction, it is run too."""

Shapes = tuple[tuple[int, ...], ...]


def normal(shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    return RANDOM.standard_normal(shape).astype(np.float32)


def linear(x: Any, w: Any) -> Any:
    return x @ w.T


def heads(q: Any, k: Any) -> Any:
    """Scores of attention: batches, and axes in an order of their own."""
    return cr.permute_dims(q, (0, 2, 1, 3)) @ cr.permute_dims(k, (0, 2, 3, 1))


CASES: dict[str, tuple[Callable[..., Any], Shapes]] = {
    "odd": (linear, ((71, 33), (45, 33))),
    "even": (linear, ((64, 48), (96, 48))),
    "few": (linear, ((16, 301), (18, 301))),
    "long sums": (linear, ((40, 1030), (24, 1030))),
    "batches": (heads, ((2, 37, 3, 20), (2, 37, 3, 20))),
    "cut and turned": (lambda x, w: x[::-1, 1::2] @ w[:, 3:], ((50, 67), (33, 45))),
}


def pulled(function: Callable[..., Any], shapes: Shapes) -> tuple[Graph, list[np.ndarray[Any, Any]]]:
    """The graph of a product and its gradients in bfloat16, with operands and a cotangent for it."""
    arrays = [normal(shape) for shape in shapes]
    arrays.append(normal(function(*map(cr.tensor, arrays)).shape))

    def both(x: Any, w: Any, g: Any) -> Any:
        y, pull_back = cr.vjp(function, x, w)
        return (y, *pull_back(g))

    with cr.autocast("bfloat16"):
        return capture(both, [ArrayType(each.shape, float32) for each in arrays]).graph, arrays


def names(graph: Graph) -> list[str]:
    return [equation.primitive.name for equation in graph.equations]


@pytest.mark.parametrize("name", CASES)
def test_a_graph_in_pairs_means_the_same(name: str) -> None:
    graph, arrays = pulled(*CASES[name])
    paired = take_pairs(run_passes(graph))
    assert names(paired).count("pair_product") == 3 and not {"matmul", "bfloat16_rounded"} & set(names(paired))
    for given, expected in zip(run(paired, arrays), run(graph, arrays)):
        np.testing.assert_allclose(given, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.bfloat16)
@pytest.mark.parametrize("name", CASES)
def test_native_products_in_pairs_are_those_of_rounded_operands(name: str, target: Target) -> None:
    graph, arrays = pulled(*CASES[name])
    with compiling_for(target):
        compiled = compile_graph(graph)
        labels = [str(getattr(each, "label", "")) for each in compiled.program.instructions]
        results = [run_once(compiled, arrays, threads) for threads in (1, 2, 3)]
    assert sum(label.startswith("matmul of pairs") for label in labels) == 3
    for given, expected in zip(results[0], run(graph, [each.astype(float32) for each in arrays])):
        np.testing.assert_allclose(given, expected, rtol=1e-5, atol=2e-4)
    assert len({b"".join(each.tobytes() for each in found) for found in results}) == 1


def test_nan_and_infinity_go_through() -> None:
    graph, arrays = pulled(*CASES["odd"])
    arrays[0][3, 5], arrays[0][7, 0], arrays[1][2, 32] = np.nan, np.inf, -np.inf
    with compiling_for(WIDENED):
        given = run_once(compile_graph(graph), arrays)
    wanted = run(graph, arrays)
    assert np.isnan(wanted[0][3]).all() and np.isinf(wanted[0]).any()
    for each, expected in zip(given, wanted):
        assert np.array_equal(np.isnan(each), np.isnan(expected))
        infinite = np.isinf(expected)
        assert np.array_equal(each[infinite], expected[infinite])


def test_in_a_loop_weights_are_paired_once_before_it() -> None:
    w, x = cr.tensor(normal((40, 40)) / 6), cr.tensor(normal((5, 12, 40)))

    def loop(x: Any) -> Any:
        return cr.scan(lambda carry, row: (cr.tanh(carry @ w + row), None), x[0], x)[0]

    with cr.autocast("bfloat16"):
        expected = loop(x).numpy()
        graph = capture(loop, [ArrayType(x.shape, float32)]).graph
        with compiling_for(WIDENED):
            compiled = compile_graph(graph)
            before = [str(getattr(each, "label", "")) for each in compiled.program.instructions]
            values = [np.ascontiguousarray(each) for each in (x.numpy(), w.numpy())][: len(graph.inputs)]
            given = run_once(compiled, values)[0]
    assert any(label.startswith("pairs 40x40") for label in before)
    np.testing.assert_allclose(given, expected, atol=0.01)


def test_small_or_exact_products_stay_as_they_are() -> None:
    small, _ = pulled(linear, ((4, 8), (4, 8)))
    exact = capture(lambda x, w: x @ w.T, [ArrayType((64, 64), float32)] * 2).graph
    for graph in (small, exact):
        assert "pair_product" not in names(take_pairs(run_passes(graph)))


def test_who_has_the_instruction() -> None:
    has = {"avx512bf16", "bf16"}
    assert pairs_with("x86_64-unknown-linux-gnu", 64, has.__contains__) == "avx512"
    assert pairs_with("x86_64-unknown-linux-gnu", 32, has.__contains__) == ""
    assert pairs_with("aarch64-unknown-linux-gnu", 16, has.__contains__) == "neon"
    assert pairs_with("aarch64-unknown-linux-gnu", 16, set[str]().__contains__) == ""
    named = {name: target_named(name).bfloat16 for name in ("x86-64-v4", "znver4", "aarch64", "neoverse-v1")}
    assert named == {"x86-64-v4": "", "znver4": "avx512", "aarch64": "", "neoverse-v1": "neon"}
    assert target_named("x86-64-v4", features="+avx512bf16").bfloat16 == "avx512"
    assert target_named("znver4", features="-avx512bf16").bfloat16 == ""


PROGRAM = """
import sys
import chainrule as cr
from llvmlite import binding as llvm
from chainrule.capture import capture
from chainrule.compiler.compile import lowered
from chainrule.compiler.job import Job
from chainrule.compiler.machine.runtime import _machine, _without_some_passes, compiling_for, initialise
from chainrule.compiler.machine.targets import target_named
from chainrule.ir.types import ArrayType, float32

def pulled(x, w, g):
    y, pull_back = cr.vjp(lambda x, w: x @ w.T, x, w)
    return (y, *pull_back(g))

initialise()
llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()
kinds = [ArrayType(shape, float32) for shape in ((96, 128), (64, 128), (96, 64))]
with cr.autocast("bfloat16"):
    graph = capture(pulled, kinds).graph
for name in sys.argv[1:]:
    with compiling_for(target_named(name)), _without_some_passes():
        module = llvm.parse_assembly(lowered(Job(graph, {}, True, None)).text)
        module.verify()
        print("#", name)
        print(_machine(jit=False).emit_assembly(module))
"""
DOTS = {
    "cooperlake": r"\bvdpbf16ps\s.*%zmm",
    "sapphirerapids": r"\bvdpbf16ps\s.*%zmm",
    "znver4": r"\bvdpbf16ps\s.*%zmm",
    "neoverse-v1": r"\bbfdot\s",
}


def test_the_instruction_is_what_products_are_made_of() -> None:
    """In a process of its own: what LLVM can't select ends the process."""
    command = [sys.executable, "-c", PROGRAM, *DOTS]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr[-3000:]
    parts = re.split(r"^# (\S+)$", process.stdout, flags=re.MULTILINE)[1:]
    assert parts[::2] == list(DOTS)
    for name, text in zip(parts[::2], parts[1::2]):
        pieces = re.split(r"^(\w+):.*$", text, flags=re.MULTILINE)[1:]
        tiles = {label: code for label, code in zip(pieces[::2], pieces[1::2]) if label.startswith("tile_")}
        assert tiles and all("_bfloat16" in label for label in tiles)
        for label, code in tiles.items():
            rows, columns = map(int, re.findall(r"(\d+)x(\d+)", label)[0])
            vectors = -(-columns // (4 if name == "neoverse-v1" else 16))
            pairs = int(re.findall(r"_by(\d+)", label)[0])  # in a round of its loop
            assert len(re.findall(DOTS[name], code)) == pairs * rows * vectors, label
        assert not re.search(r"\bvfmadd|\bfmla\b", text)
