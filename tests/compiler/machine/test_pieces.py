"""Programs compiled in pieces, by several threads: the same code however many there are, linked to one program."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler.compile import compile_graph, lowered, run_once
from chainrule.compiler.job import Job
from chainrule.compiler.machine import cache, pieces
from chainrule.compiler.machine.pieces import Pieces
from chainrule.compiler.text.module import Module
from chainrule.ir.graph import Graph
from chainrule.ir.types import ArrayType, float32
from chainrule.trace import trace


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A piece is soon full; nothing comes from the cache."""
    monkeypatch.setattr(pieces, "LEAST", 6_000)
    with cache.nothing_kept():
        yield


def graph() -> Graph:
    """Products of two kinds that share tiles, nests that reduce, a table of row numbers, sines."""
    rows = np.arange(0, 60, 3)

    def function(x: cr.Tensor, w: cr.Tensor) -> tuple[cr.Tensor, ...]:
        hidden = cr.exp(cr.sin(x @ w) * 0.1)
        return (hidden.sum(axis=0), (hidden[rows] @ w.T).max(axis=1), cr.sort(hidden, axis=0))

    return trace(function)(ArrayType((64, 96), float32), ArrayType((96, 80), float32))


def objects(made: Graph, helpers: int, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    monkeypatch.setattr(pieces, "default_threads", lambda: helpers + 1)
    with Pieces() as compiling:
        done = lowered(Job(made, {}, True, None), compiling.look)
        return compiling.finish(done.program.module, done.is_tiny)


def test_code_does_not_depend_on_who_compiles_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made = graph()
    helped = objects(made, 1, monkeypatch)
    assert len(helped) > 3
    assert objects(made, 3, monkeypatch) == helped
    assert len(objects(made, 0, monkeypatch)) == 1
    assert not [each for each in threading.enumerate() if each.name == "chainrule-compiler"]


def test_where_no_thread_can_be_started_one_does_all(monkeypatch: pytest.MonkeyPatch) -> None:
    made = graph()
    helped = objects(made, 3, monkeypatch)

    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    assert objects(made, 3, monkeypatch)[0] == helped[0]


def test_pieces_call_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    x, w = (random.standard_normal(shape).astype(np.float32) for shape in ((64, 96), (96, 80)))
    in_pieces = run_once(compile_graph(graph()), [x, w], threads=2)
    monkeypatch.setattr(pieces, "LEAST", 1 << 30)
    whole = run_once(compile_graph(graph()), [x, w], threads=2)
    hidden = np.exp(np.sin(x.astype(float) @ w) * 0.1)
    expected = (hidden.sum(0), (hidden[::3][:20] @ w.T).max(1), np.sort(hidden, 0))
    for part, same, value in zip(in_pieces, whole, expected):
        np.testing.assert_array_equal(part, same)
        np.testing.assert_allclose(part, value, rtol=2e-5)


@pytest.mark.parametrize("helpers", [0, 2])
def test_what_llvm_refuses_is_an_error_and_no_thread_is_left(helpers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "default_threads", lambda: helpers + 1)
    module = Module()
    with pytest.raises(RuntimeError, match="expected"), Pieces() as compiling:
        for number in range(4):
            module.functions.append(f"define void @f{number}() {{ {'; ' + 'x' * 9_000}\nret void }}")
            compiling.look(module)
        module.functions.append("define void @wrong() { nothing }")
        compiling.finish(module)
    assert not [each for each in threading.enumerate() if each.name == "chainrule-compiler"]


def test_an_error_while_kernels_are_written_ends_the_helpers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "default_threads", lambda: 3)
    module = Module()
    with pytest.raises(KeyError), Pieces() as compiling:
        module.functions.append(f"define void @f() {{ {'; ' + 'x' * 9_000}\nret void }}")
        compiling.look(module)
        raise KeyError("a kernel")
    assert not [each for each in threading.enumerate() if each.name == "chainrule-compiler"]
