"""Functions that pack operands: what NumPy's slices give, nothing beside it, and written once for all who call."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from chainrule.compiler.machine.runtime import Code, host
from chainrule.compiler.products.packing import PanelKind, TilesKind, pack_panels, pack_tiles
from chainrule.compiler.text.emit import Function, Module, Reg
from chainrule.compiler.text.register import word
from chainrule.ir.memory import address_of

POINTERS = [Reg("ptr", "%source"), Reg("ptr", "%packed")]


def caller(module: Module, name: str = "run") -> Function:
    return Function(module, name, POINTERS, host().attributes)


def run(module: Module, source: np.ndarray, packed: np.ndarray) -> None:
    code = Code(module.text())
    ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(code.address("run"))(
        address_of(source), address_of(packed)
    )


@pytest.mark.parametrize("asks", [False, True])
@pytest.mark.parametrize("rows, neighbours", [(5, True), (13, True), (4, False)])
def test_panels_of_a(rows: int, neighbours: bool, asks: bool) -> None:
    width, count, terms = 4, 3, range(2, 9)
    padded, apart = -(-rows // width) * width, 400
    a = np.arange(12 * rows * count, dtype=np.float32).reshape(12, rows * count)  # (k, row)
    given = a if neighbours else np.ascontiguousarray(a.T)
    strides = (1, rows * count) if neighbours else (12, 1)
    packed = np.full((count, apart), -1, np.float32)
    module = Module()
    f = caller(module)
    kind = PanelKind("float", rows, padded, width, neighbours, asks)
    told = [word(each) for each in (*strides, 4 * strides[1])]
    pack_panels(f, kind, *POINTERS, told, (word(count), word(apart)), (word(terms.start), word(terms.stop)))
    f.finish()
    run(module, given, packed)
    panels = packed[:, : 12 * padded].reshape(count, 12, padded)
    for number in range(count):
        expected = a[terms.start : terms.stop, number * rows : (number + 1) * rows]
        np.testing.assert_array_equal(panels[number, terms.start : terms.stop, :rows], expected)
    assert (panels[:, : terms.start] == -1).all() and (panels[:, terms.stop :] == -1).all()
    assert (packed[:, 12 * padded :] == -1).all()


@pytest.mark.parametrize("columns_of_b, tiles", [(24, (0, 3)), (24, (1, 2)), (28, (1, 4)), (31, (0, 4)), (26, (3, 4))])
def test_tiles_of_b(columns_of_b: int, tiles: tuple[int, int]) -> None:
    width, columns, length, apart = 4, 8, 5, 100
    whole, rest = divmod(columns_of_b, columns)
    b = np.arange(9 * columns_of_b, dtype=np.float32).reshape(9, columns_of_b)
    packed = np.full((4, apart), -1, np.float32)
    module = Module()
    f = caller(module)
    told = [word(each) for each in (*tiles, whole, rest // width * width)]
    kind = TilesKind("float", columns, rest % width, width)
    pack_tiles(f, kind, POINTERS, (word(columns_of_b), word(apart)), told, word(length))
    f.finish()
    run(module, b, packed)
    for tile in range(*tiles):
        mine = b[:length, tile * columns : (tile + 1) * columns]
        padded = -(-mine.shape[1] // width) * width
        found = packed[tile - tiles[0]]
        expected = np.pad(mine, ((0, 0), (0, padded - mine.shape[1])))
        np.testing.assert_array_equal(found[: length * padded].reshape(length, padded), expected)
        assert (found[length * padded :] == -1).all()
    assert (packed[tiles[1] - tiles[0] :] == -1).all()


def test_two_kernels_share_one_function() -> None:
    module = Module()
    for name, rows_of_b in (("one", 100), ("two", 700)):
        f = caller(module, name)
        told = [word(each) for each in (0, 2, 2, 0)]
        pack_tiles(f, TilesKind("float", 32, 0, 16), POINTERS, (word(rows_of_b), word(32)), told, word(3))
        f.finish()
    assert len(module.functions) == 3
