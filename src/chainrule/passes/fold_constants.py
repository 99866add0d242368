"""Compute what depends on constants alone, once, before anything runs. What is one number in memory stays one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..errors import ChainruleError
from ..ir.build import constant, evaluate
from ..ir.graph import Equation, Graph, Value
from ..ir.primitive import Primitive
from ..ir.show import is_splat
from ..ir.types import NumpyArray
from ..ops import broadcasting, reduction, structure
from .rewrite import ELEMENTWISE, Inputs, Rewriter, full

LARGEST = 2**20
"""Bytes that a folded constant may take, unless what it is computed from takes as many."""
MOVING: frozenset[Primitive] = frozenset(
    (broadcasting.broadcast_to, structure.reshape, structure.permute_dims, structure.slice, structure.flip)
)
"""Primitives that give elements of their one input and nothing else."""
CHOOSING: frozenset[Primitive] = frozenset((reduction.max, reduction.min, reduction.all, reduction.any))


def fold_constants(graph: Graph) -> Graph:
    """`graph` without the equations that read only constants, but for those whose results would be too large."""
    rewriter = Rewriter(graph)
    for equation in graph.equations:
        inputs = rewriter.inputs_of(equation)
        results = _folded(equation, inputs) if all(map(rewriter.is_constant, inputs)) else None
        if results is None:
            rewriter.keep(equation, inputs)
        else:
            rewriter.replace(equation, results)
    return rewriter.finish()


def _folded(equation: Equation, inputs: Inputs) -> Sequence[Value] | None:
    arrays = [value.data for value in inputs if value.data is not None]
    splats = all(map(is_splat, inputs))
    primitive = equation.primitive
    try:
        if splats and primitive in ELEMENTWISE:
            return _one_number(equation, arrays)
        if (splats and primitive in MOVING) or (primitive in CHOOSING and arrays[0].size and splats):
            return [full(_number(arrays[0]), equation.outputs[0].type)]
        if primitive is broadcasting.broadcast_to or not _fits(equation, arrays):
            return None  # a broadcast repeats what it reads: that is done where it is used
        return _computed(equation, arrays, splats)
    except ChainruleError:
        return None  # an index out of range, say: the program says so when it runs


def _number(array: NumpyArray) -> NumpyArray:
    number: NumpyArray = array[(0,) * array.ndim]
    return number


def _one_number(equation: Equation, arrays: Sequence[NumpyArray]) -> Sequence[Value]:
    numbers = [np.asarray(_number(array)) for array in arrays]
    types = [value.type.with_shape(()) for value in equation.outputs]
    results = evaluate(equation.primitive, list(numbers), dict(equation.params), tuple(types))
    return [full(result, value.type) for result, value in zip(results, equation.outputs)]


def _fits(equation: Equation, arrays: Sequence[NumpyArray]) -> bool:
    produced = sum(value.type.nbytes for value in equation.outputs)
    return produced <= max(LARGEST, sum(map(_bytes_in_memory, arrays)))


def _bytes_in_memory(array: NumpyArray) -> int:
    """Elements that are one and the same in memory (stride 0) count once."""
    count: int = math.prod(size for size, stride in zip(array.shape, array.strides) if stride)
    return array.itemsize * count


def _computed(equation: Equation, arrays: Sequence[NumpyArray], splats: bool) -> Sequence[Value]:
    types = tuple(value.type for value in equation.outputs)
    results = evaluate(equation.primitive, list(arrays), dict(equation.params), types)
    return [_compressed(result) if splats else constant(result) for result in results]


def _compressed(array: NumpyArray) -> Value:
    """A constant of one number where all elements have the same bits."""
    if array.size > 1:
        bits = np.ascontiguousarray(array).reshape(-1).view(np.dtype((np.void, array.itemsize)))
        if bits.tobytes() == bits[0].tobytes() * array.size:
            return full(_number(array), constant(array).type)
    return constant(array)
