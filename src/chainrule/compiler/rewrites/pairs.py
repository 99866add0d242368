"""Products in bfloat16, for processors with an instruction that multiplies pairs and adds both products to a float32.

An operand becomes an array of pairs: two neighbours along what is summed, rounded, in one word of 32 bits. So it takes
half of the memory, and blocks and tiles are those of float32, over half as many terms. The pairs are made as soon as
their source is known: what only products read need not be kept as float32.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...ir.graph import Equation, Graph, Value
from ...ir.primitive import NoGradient, Primitive
from ...ir.types import ArrayType, NumpyArray, float32, is_bfloat16, uint32
from ...ops.bfloat16 import bfloat16_rounded, rounded_to_bfloat16
from ...ops.elementwise import cast
from ...ops.linear import matmul
from ...passes.in_bodies import in_bodies
from ...passes.remove_unused import remove_unused
from ...passes.rewrite import Rewriter
from ..planning.unit import root_of

FEWEST_TERMS, LEAST_WORK = 16, 1 << 14
"""Of products that are taken in pairs: terms of a sum, multiplications."""
LATER = NoGradient("made by the compiler, after gradients have been taken")


def _pairs_type(x: ArrayType, *, axis: int) -> ArrayType:
    return ArrayType((*x.shape[:axis], -(-x.shape[axis] // 2), *x.shape[axis + 1 :]), uint32)


def _pairs(x: NumpyArray, *, axis: int) -> NumpyArray:
    odd = [(0, x.shape[axis] % 2 * (place == axis)) for place in range(x.ndim)]
    bits = np.moveaxis(np.pad(rounded_to_bfloat16(x).view(np.uint32), odd), axis, -1)
    return np.moveaxis(bits[..., 0::2] >> np.uint32(16) | bits[..., 1::2], -1, axis)


def _product_type(first: ArrayType, second: ArrayType) -> ArrayType:
    return ArrayType((*first.shape[:-1], second.shape[-1]), float32)


def _product(first: NumpyArray, second: NumpyArray) -> NumpyArray:
    low, high = ([(each << np.uint32(16)).view(float32) for each in (first, second)], [first, second])
    upper = [(each & np.uint32(0xFFFF0000)).view(float32) for each in high]
    return np.asarray(np.matmul(*low) + np.matmul(*upper), float32)


bfloat16_pairs = Primitive("bfloat16_pairs", _pairs_type, _pairs, LATER, "pairs({0})", lambda: iter(()))
pair_product = Primitive("pair_product", _product_type, _product, LATER, "({0} @ {1})", lambda: iter(()))
"""Neither is registered: nobody but the compiler binds them."""


@dataclass(frozen=True)
class _Operand:
    """What is to be paired: a float32 value, the views of it that a product sees, and the axis of the sum."""

    source: Value
    views: tuple[Equation, ...]
    axis: int

    @property
    def key(self) -> tuple[Any, ...]:
        return id(self.source), tuple(map(id, self.views)), self.axis


def take_pairs(graph: Graph) -> Graph:
    """`graph` with products of rounded operands taken in pairs, in the bodies of loops too."""
    graph = in_bodies(graph, take_pairs)
    products = {id(each): found for each in graph.equations if (found := _operands(each)) is not None}
    if not products:
        return graph
    return remove_unused(_Pairing(graph, products).run())


class _Pairing:
    def __init__(self, graph: Graph, products: Mapping[int, Sequence[_Operand]]) -> None:
        self.graph, self.products, self.rewriter = graph, products, Rewriter(graph)
        self.paired: dict[tuple[Any, ...], Value] = {}
        self.waiting: dict[int, list[_Operand]] = {}  # by id of what they are made of
        for operand in (each for pair in products.values() for each in pair):
            self.waiting.setdefault(id(operand.source), []).append(operand)

    def run(self) -> Graph:
        for equation in self.graph.equations:
            inputs = self.rewriter.inputs_of(equation)
            operands = self.products.get(id(equation))
            if operands is None:
                self.rewriter.keep(equation, inputs)
            else:
                result = self.rewriter.emit(pair_product, *map(self._made, operands))
                self.rewriter.replace(equation, (result,))
            for value in equation.outputs:
                for operand in self.waiting.get(id(value), ()):
                    self._made(operand)
        return self.rewriter.finish()

    def _made(self, operand: _Operand) -> Value:
        if operand.key not in self.paired:
            value = self.rewriter.now(operand.source)
            for view in operand.views:
                value = self.rewriter.emit(view.primitive, value, **view.params)
            self.paired[operand.key] = self.rewriter.emit(bfloat16_pairs, value, axis=operand.axis)
        return self.paired[operand.key]


def _operands(equation: Equation) -> tuple[_Operand, _Operand] | None:
    """What a product multiplies before it is rounded; None where it is not, or is too small."""
    if equation.primitive is not matmul:
        return None
    first, second = equation.inputs
    *_, rows, terms = first.shape
    columns = second.shape[-1]
    if min(rows, columns) < 2 or terms < FEWEST_TERMS or rows * columns * terms < LEAST_WORK:
        return None
    found = _operand(first, first.ndim - 1), _operand(second, second.ndim - 2)
    return None if found[0] is None or found[1] is None else (found[0], found[1])


def _operand(value: Value, axis: int) -> _Operand | None:
    """None where it is neither rounded nor an array of bfloat16, or repeats what it is made of."""
    root, chain = root_of(value)
    equation = root.equation
    if equation is None or root.data is not None:
        return None
    rounds, widens = equation.primitive is bfloat16_rounded, equation.primitive is cast
    if not rounds and not (widens and is_bfloat16(equation.inputs[0].dtype)):
        return None
    repeats = any(math.prod(each.outputs[0].shape) > math.prod(each.inputs[0].shape) for each in chain)
    return None if repeats else _Operand(equation.inputs[0] if rounds else root, tuple(chain), axis)
