"""What depends on constants alone is computed once; what is one number in memory stays one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule.ir.build import constant, splat
from chainrule.ir.graph import Equation, Graph, Value
from chainrule.ir.primitive import Primitive
from chainrule.ir.show import is_splat
from chainrule.ir.types import ArrayType, float32, float64
from chainrule.ops import broadcasting, indexing, linear, reduction, structure
from chainrule.ops import elementwise as ew
from chainrule.passes import fold_constants
from chainrule.passes.fold_constants import LARGEST
from chainrule.reference import run

from .helpers import assert_same_bits

WIDE = ArrayType((500, 1000), float32)


def applied(primitive: Primitive, *inputs: Value, **params: Any) -> Graph:
    """A graph of one equation on constants: tracing would compute it at once."""
    equation = Equation(primitive, inputs, params)
    kind = primitive.type_rule(*[value.type for value in inputs], **params)
    return Graph((), (equation,), equation.produce((kind,), tracked=False))


def folded(graph: Graph) -> Value:
    """The only output, which must be a constant now, of the bits it had."""
    changed = fold_constants(graph)
    assert changed.equations == ()
    assert_same_bits(run(changed, ()), run(graph, ()))
    return changed.outputs[0]


def known(*shape: int) -> Value:
    return constant(np.cos(np.arange(np.prod(shape))).reshape(shape).astype(np.float32))


@pytest.mark.parametrize(
    ("primitive", "params"),
    [
        (ew.exp, {}),
        (ew.cast, {"dtype": float64}),
        (ew.isnan, {}),
        (ew.integer_power, {"exponent": 3}),
        (structure.reshape, {"shape": (1000, 500)}),
        (structure.permute_dims, {"axes": (1, 0)}),
        (broadcasting.broadcast_to, {"shape": (4, 500, 1000)}),
        (structure.slice, {"starts": (1, 0), "stops": (3, 4), "steps": (1, 2)}),
        (structure.flip, {"axes": (0,)}),
        (reduction.max, {"axes": (0,)}),
    ],
)
@pytest.mark.parametrize("number", [0.3, -0.0, float("nan")])
def test_one_number_stays_one(primitive: Primitive, params: dict[str, Any], number: float) -> None:
    result = folded(applied(primitive, splat(number, WIDE), **params))
    assert is_splat(result) and result.data is not None and not any(result.data.strides)


def test_two_numbers_make_one() -> None:
    result = folded(applied(ew.multiply, splat(0.1, WIDE), splat(0.2, WIDE)))
    assert result.type == WIDE and result.data is not None and not any(result.data.strides)
    assert result.data[0, 0] == np.float32(0.1) * np.float32(0.2)


def test_a_sum_of_one_number_is_one_number() -> None:
    result = folded(applied(broadcasting.sum, splat(0.5, ArrayType((300, 4), float32)), axes=(0,)))
    assert is_splat(result) and result.shape == (4,)


def test_a_running_sum_of_one_number_is_many() -> None:
    result = folded(applied(reduction.cumulative_sum, splat(0.5, ArrayType((4,), float32)), axis=0))
    assert result.data is not None and result.data.tolist() == [0.5, 1.0, 1.5, 2.0]


@pytest.mark.parametrize(
    ("primitive", "inputs", "params"),
    [
        (ew.exp, (known(3, 4),), {}),
        (ew.add, (known(3, 4), splat(1, ArrayType((3, 4), float32))), {}),
        (linear.matmul, (known(3, 4), known(4, 2)), {}),
        (broadcasting.sum, (known(3, 4),), {"axes": (1,)}),
        (structure.concat, (known(3, 4), splat(2, ArrayType((1, 4), float32))), {"axis": 0}),
        (indexing.gather, (known(3, 4), constant(np.array([2, 0]))), {}),
    ],
)
def test_other_constants_are_computed(primitive: Primitive, inputs: tuple[Value, ...], params: dict[str, Any]) -> None:
    folded(applied(primitive, *inputs, **params))


@pytest.mark.parametrize(
    "make",
    [
        lambda: applied(broadcasting.broadcast_to, known(4), shape=(3, 4)),  # it only repeats
        lambda: applied(structure.concat, known(300, 1), *[splat(0, ArrayType((300, 500), float32))] * 2, axis=1),
        lambda: applied(indexing.gather, known(3, 4), constant(np.array([3]))),  # an error when it runs
    ],
)
def test_what_is_left_to_the_run(make: Callable[[], Graph]) -> None:
    graph = make()
    assert fold_constants(graph) is graph


def test_large_results_of_large_constants_are_computed() -> None:
    large = known(LARGEST // 4 + 1)
    folded(applied(ew.negative, large))


def test_a_chain_is_folded_in_one_pass() -> None:
    first = applied(ew.exp, known(3))
    second = Equation(ew.negative, first.outputs, {})
    outputs = second.produce((first.outputs[0].type,), tracked=False)
    folded(Graph((), (*first.equations, second), outputs))


def test_inputs_are_no_constants_whatever_data_they_carry() -> None:
    cell = known(3)
    equation = Equation(ew.exp, (cell,), {})
    graph = Graph((cell,), (equation,), equation.produce((cell.type,), tracked=False))
    assert fold_constants(graph) is graph
