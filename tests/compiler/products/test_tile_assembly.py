"""Tiles in assembly give what LLVM's code for the same tile gives, bit for bit, and touch nothing beside it."""

from __future__ import annotations

import ctypes
import platform
from dataclasses import replace

import numpy as np
import pytest

from chainrule.compiler.machine.runtime import Code, compiling_for, host, library
from chainrule.compiler.machine.targets import target_named
from chainrule.compiler.products.tile import Far, Strides, Terms, TileKind, call_tile
from chainrule.compiler.text.emit import Function, Module, Reg
from chainrule.compiler.text.register import word
from chainrule.compiler.text.target import Target
from chainrule.ir.memory import address_of

KINDS = [
    (TileKind("float", 14, 32), "rows"),
    (TileKind("float", 13, 32, unrolled=4), "lines"),
    (TileKind("float", 9, 40, rounds=True), "told"),
    (TileKind("float", 6, 53, b_whole=True, whole_sums=True), "rows"),
    (TileKind("float", 28, 10), "rows"),
    (TileKind("float", 1, 128), "rows"),
    (TileKind("double", 14, 13, unrolled=4), "rows"),
    (TileKind("double", 5, 40), "lines"),
    (TileKind("float", 14, 32, asked=4), "rows"),
    (TileKind("float", 13, 32, unrolled=4, asked=2), "lines"),
    (TileKind("float", 6, 64, rounds=True, whole_sums=True, asked=1), "rows"),
]


def text_of(target: Target, kind: TileKind, layout: str) -> str:
    """A function `run` of pointers to A, B, C, which calls the tile for 22 terms. C is 60 elements wide."""
    module = Module()
    f = Function(module, "run", [Reg("ptr", "%a"), Reg("ptr", "%b"), Reg("ptr", "%c"), Reg("i1", "%adds")])
    a_row, a_step = {"rows": (24, 1), "lines": (1, kind.rows), "told": (50, 2)}[layout]
    strides, terms = Strides(word(a_row), word(a_step), word(144)), Terms(word(22), Reg("i1", "%adds"))
    far = Far(f.parameters[0], word(192)) if kind.asked else None
    call_tile(f, target, kind, f.parameters[:3], strides, 160, terms, far)
    f.finish()
    return module.text()


def result_of(text: str, kind: TileKind, adds: bool) -> np.ndarray:
    """All of C afterwards, where NaN lay before: what a tile does not write stays so."""
    random = np.random.default_rng(0)
    dtype = np.float32 if kind.element == "float" else np.float64
    a, b = (random.standard_normal(size).astype(dtype) for size in (50 * kind.rows, 22 * 144))
    b[5], b[7], a[3] = -0.0, np.nan, np.inf if kind.rows > 1 else 1.0
    c = np.full((kind.rows + 1, 160), np.nan, dtype)
    if adds:
        c[: kind.rows, : kind.columns] = random.standard_normal((kind.rows, kind.columns))
    code = Code(text)  # it lives while its function is called
    run = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3, ctypes.c_bool)(code.address("run"))
    run(address_of(a), address_of(b), address_of(c), adds)
    return c


@pytest.mark.skipif(not host().has_assembler, reason="a processor without AVX-512")
@pytest.mark.parametrize("kind, layout", KINDS, ids=lambda each: each.name if isinstance(each, TileKind) else each)
def test_same_bits_as_llvms(kind: TileKind, layout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written = text_of(host(), kind, layout)
    assert "asm sideeffect" in written
    monkeypatch.setattr(Target, "has_assembler", False)
    compiled = text_of(host(), kind, layout)
    assert "asm sideeffect" not in compiled
    for adds in (False, True) if not kind.whole_sums else (False,):
        found, expected = (result_of(text, kind, adds) for text in (written, compiled))
        np.testing.assert_array_equal(found, expected)  # NaN where NaN is
        same = np.isfinite(expected)
        assert same[: kind.rows, : kind.columns].sum() > kind.rows and not same[kind.rows].any()
        assert found[same].tobytes() == expected[same].tobytes()


@pytest.mark.skipif(not host().has_assembler, reason="a processor without AVX-512")
def test_c_is_asked_for_where_it_is_read() -> None:
    kind = TileKind("float", 6, 53)
    assert text_of(host(), kind, "rows").count("prefetchw") == -(-53 // 16)
    assert "prefetchw" not in text_of(host(), replace(kind, whole_sums=True), "rows")


@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="no assembler for AVX-512")
def test_assembled_for_another_processor() -> None:
    other = target_named("x86-64-v4")
    with compiling_for(other):
        text = text_of(other, TileKind("float", 14, 32), "rows")
        assert "asm sideeffect" in text and len(library([(text, False)])) > 2000


def test_what_has_more_than_assembly_knows_is_left_to_llvm() -> None:
    other = target_named("x86-64-v4")
    assert TileKind("float", 6, 64, paired=True).assembled(other) is None
    assert TileKind("float", 28, 16).assembled(other) is None  # rows and terms both told: too many pointers
    assert TileKind("float", 9, 32, asked=4).assembled(other) is None
    assert TileKind("float", 28, 16, a_step=1, asked=4).assembled(other) is None
    assert TileKind("float", 6, 64, a_step=1).assembled(target_named("x86-64-v3")) is None
