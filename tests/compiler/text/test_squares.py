"""Squares turned over their diagonal: against NumPy, and written once for a program."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from chainrule.compiler.machine.runtime import Code, host
from chainrule.compiler.text.emit import Function, Module, Reg
from chainrule.compiler.text.squares import turn_square

PARAMETERS = [Reg("ptr", "%source"), Reg("ptr", "%target")]


def caller(module: Module, name: str, element: str, lanes: int, source_step: int, target_step: int) -> None:
    f = Function(module, name, PARAMETERS, host().attributes)
    turn_square(f, element, lanes, PARAMETERS[0], source_step, PARAMETERS[1], target_step)
    f.finish()


@pytest.mark.parametrize(("element", "dtype"), [("float", "f4"), ("double", "f8"), ("i8", "u1"), ("i32", "i4")])
@pytest.mark.parametrize("lanes", [2, 4, 8, 16])
@pytest.mark.parametrize("assembled", [False, True])
def test_a_square_is_turned_and_nothing_else_written(element: str, dtype: str, lanes: int, assembled: bool) -> None:
    module = Module(host().has_fma, host().has_assembler and assembled)
    caller(module, "turn", element, lanes, 19, 23)
    source = np.arange(16 * 19).astype(dtype).reshape(16, 19)
    target = np.full((16, 23), 99, dtype)
    code = Code(module.text())
    assert ("asm sideeffect" in module.text()) == (module.has_scaling and lanes == 16 and dtype[1] == "4")
    turn = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(code.address("turn"))
    turn(source.ctypes.data, target.ctypes.data)
    expected = np.full((16, 23), 99, dtype)
    expected[:lanes, :lanes] = source[:lanes, :lanes].T
    np.testing.assert_array_equal(target, expected)


def test_bits_of_integers_survive_moving_as_floats() -> None:
    module = Module(host().has_fma)
    caller(module, "turn", "i32", 2, 2, 2)
    source = np.array([[0x7F800001, 0xFFFFFFFF], [0x00000001, 0x7FA00000]], np.uint32)  # signalling NaNs, a denormal
    target = np.zeros_like(source)
    code = Code(module.text())
    ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(code.address("turn"))(
        source.ctypes.data, target.ctypes.data
    )
    np.testing.assert_array_equal(target, source.T)


def test_two_kernels_share_one_function() -> None:
    module = Module(host().has_fma)
    caller(module, "one", "float", 8, 8, 8)
    caller(module, "two", "float", 8, 30, 9)
    assert sum("shufflevector" in text for text in module.functions) == 1
