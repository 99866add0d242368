"""Rules of arithmetic: what each makes of an equation, bit for bit on nasty numbers, and what must stay as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule.ir.build import leaf, placeholder, recording
from chainrule.ir.graph import Equation, Graph, Value
from chainrule.ir.primitive import Primitive
from chainrule.ir.types import ArrayType, bool_, float32, float64, int8, int16, int32, int64, uint8, uint16
from chainrule.ops import elementwise as ew
from chainrule.ops.custom import custom_gradient
from chainrule.passes import remove_unused, simplify_arithmetic

from .helpers import VECTOR, array, assert_same_meaning, graph_of, names, number

Function = Callable[..., Any]
WIDE, MASK = ArrayType(VECTOR.shape, float64), ArrayType(VECTOR.shape, bool_)
INTEGER, BYTE = ArrayType(VECTOR.shape, int64), ArrayType(VECTOR.shape, uint8)


def simplified(graph: Graph) -> Graph:
    """Until nothing changes."""
    while True:
        changed = remove_unused(simplify_arithmetic(graph))
        if changed is graph:
            return graph
        graph = changed


def check(function: Function, kinds: tuple[ArrayType, ...], expected: str) -> None:
    graph = graph_of(function, *kinds)
    changed = simplified(graph)
    assert names(changed) == expected.split()
    assert_same_meaning(changed, graph)


@pytest.mark.parametrize("kind", [VECTOR, WIDE, INTEGER, BYTE], ids=str)
@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: ew.identity(x), ""),
        (lambda x: ew.stop_gradient(ew.identity(x)), ""),
        (lambda x: custom_gradient(x, x, count=1, backward=len), ""),
        (lambda x: custom_gradient(x, ew.abs(x), x, x, count=2, backward=len)[0], ""),
        (lambda x: ew.multiply(x, number(x, 1)), ""),
        (lambda x: ew.multiply(number(x, 1), x), ""),
        (lambda x: ew.subtract(x, number(x, 0)), ""),
        (lambda x: ew.negative(ew.negative(x)), ""),
        (lambda x: ew.add(x, ew.negative(ew.abs(x))), "abs subtract"),
        (lambda x: ew.add(ew.negative(ew.abs(x)), x), "abs subtract"),
        (lambda x: ew.subtract(x, ew.negative(ew.abs(x))), "abs add"),
        (lambda x: ew.multiply(ew.negative(x), ew.negative(ew.abs(x))), "abs multiply"),
        (lambda x: ew.multiply(ew.negative(x), ew.abs(x)), "abs multiply negative"),
        (lambda x: ew.add(x, ew.multiply(ew.negative(x), ew.abs(x))), "abs multiply subtract"),
        (lambda x: ew.multiply(ew.negative(x), number(x, 3)), "multiply"),
        (lambda x: ew.negative(ew.multiply(x, number(x, 3))), "multiply"),
        (lambda x: ew.abs(ew.abs(x)), "abs"),
        (lambda x: ew.maximum(x, x), ""),
        (lambda x: ew.minimum(x, x), ""),
        (lambda x: ew.cast(x, dtype=x.dtype), ""),
    ],
)
def test_rules_of_all_numbers(function: Function, kind: ArrayType, expected: str) -> None:
    check(function, (kind,), expected)


@pytest.mark.parametrize("kind", [VECTOR, WIDE], ids=str)
@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: ew.add(x, number(x, -0.0)), ""),
        (lambda x: ew.add(number(x, -0.0), x), ""),
        (lambda x: ew.add(ew.exp(x), number(x, 0.0)), "exp"),
        (lambda x: ew.add(ew.multiply(x, x), number(x, 0.0)), "multiply"),
        (lambda x: ew.subtract(number(x, -0.0), x), "negative"),
        (lambda x: ew.multiply(x, number(x, -1)), "negative"),
        (lambda x: ew.abs(ew.negative(x)), "abs"),
        (lambda x: ew.divide(x, number(x, 1)), ""),
        (lambda x: ew.divide(x, number(x, -1)), "negative"),
        (lambda x: ew.divide(x, number(x, 8)), "multiply"),
        (lambda x: ew.divide(x, number(x, -(2.0**-90))), "multiply"),
        (lambda x: ew.divide(ew.negative(x), number(x, 3)), "divide"),
        (lambda x: ew.divide(number(x, 3), ew.negative(x)), "divide"),
        (lambda x: ew.negative(ew.divide(number(x, 3), x)), "divide"),
        (lambda x: ew.divide(ew.negative(x), ew.exp(x)), "exp divide negative"),
        (lambda x: ew.multiply_no_nan(x, number(x, 2)), "multiply"),
        (lambda x: ew.multiply_no_nan(x, number(x, np.nan)), "multiply"),
        (lambda x: ew.multiply_no_nan(x, number(x, -0.0)), ""),
        (lambda x: ew.integer_power(x, exponent=0), ""),
        (lambda x: ew.integer_power(x, exponent=1), ""),
        (lambda x: ew.integer_power(x, exponent=2), "multiply"),
        (lambda x: ew.integer_power(x, exponent=-1), "divide"),
        (lambda x: ew.power(x, number(x, 0)), ""),
        (lambda x: ew.power(x, number(x, 1)), ""),
        (lambda x: ew.power(x, number(x, 2)), "multiply"),
    ],
)
def test_rules_of_floats(function: Function, kind: ArrayType, expected: str) -> None:
    check(function, (kind,), expected)


@pytest.mark.parametrize(
    ("function", "kind", "expected"),
    [
        (lambda x: ew.add(x, number(x, 0)), INTEGER, ""),
        (lambda x: ew.subtract(number(x, 0), x), INTEGER, "negative"),
        (lambda x: ew.multiply(x, number(x, 0)), BYTE, ""),
        (lambda x: ew.multiply(x, number(x, -1)), INTEGER, "negative"),
        (lambda x: ew.abs(ew.negative(x)), INTEGER, "abs"),
        (lambda x: ew.abs(ew.negative(x)), BYTE, "negative abs"),  # -1 is 255
        (lambda x: ew.add(ew.cast(x, dtype=float32), number(ew.cast(x, dtype=float32), 0.0)), INTEGER, "cast"),
        (lambda m: ew.bitwise_and(m, number(m, True)), MASK, ""),
        (lambda m: ew.bitwise_and(number(m, False), m), MASK, ""),
        (lambda m: ew.bitwise_or(m, number(m, True)), MASK, ""),
        (lambda m: ew.bitwise_or(m, m), MASK, ""),
        (lambda m: ew.bitwise_invert(ew.bitwise_invert(m)), MASK, ""),
        (lambda x: ew.bitwise_invert(ew.equal(x, ew.abs(x))), VECTOR, "abs not_equal"),
        (lambda x: ew.where(number(ew.isnan(x), True), x, ew.abs(x)), VECTOR, ""),
        (lambda x: ew.where(number(ew.isnan(x), False), x, ew.abs(x)), VECTOR, "abs"),
        (lambda x: ew.where(ew.isnan(x), x, x), VECTOR, ""),
        (lambda m: ew.where(ew.bitwise_invert(m), number(m, True), m), MASK, "where"),
    ],
)
def test_rules_of_integers_and_choices(function: Function, kind: ArrayType, expected: str) -> None:
    check(function, (kind,), expected)


@pytest.mark.parametrize(
    ("source", "through", "target", "count"),
    [
        (float32, float64, float32, 0),
        (int32, int64, int32, 0),
        (int32, float64, int32, 0),
        (bool_, float32, bool_, 0),
        (int8, int32, int16, 1),
        (int16, int64, uint8, 1),
        (float32, float64, bool_, 1),
        (float64, float32, float64, 2),
        (int64, float64, int64, 2),
        (int64, float32, bool_, 2),
        (int32, float32, int32, 2),
        (float32, float64, int8, 2),
        (uint16, int8, uint16, 2),
    ],
)
def test_casts(source: Any, through: Any, target: Any, count: int) -> None:
    graph = graph_of(lambda x: ew.cast(ew.cast(x, dtype=through), dtype=target), ArrayType((12,), source))
    changed = simplified(graph)
    assert len(changed.equations) == count
    if source.kind != "f" or target.kind != "i":  # NaN has no integer
        assert_same_meaning(changed, graph)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: ew.add(x, number(x, 0.0)),  # -0.0 becomes 0.0
        lambda x: ew.subtract(x, number(x, -0.0)),
        lambda x: ew.subtract(number(x, 0.0), x),
        lambda x: ew.multiply(x, number(x, 0.0)),  # NaN for inf
        lambda x: ew.subtract(x, x),
        lambda x: ew.divide(x, x),
        lambda x: ew.divide(x, number(x, 3)),  # 1/3 is rounded
        lambda x: ew.divide(x, number(x, 2.0**127)),  # its reciprocal is below the normal numbers
        lambda x: ew.divide(x, number(x, 2.0**-130)),  # its reciprocal is infinite
        lambda x: ew.divide(x, number(x, 0)),
        lambda x: ew.multiply(x, array(*[1.0] * 11, 2.0)),
        lambda x: ew.multiply_no_nan(number(x, 1), x),
        lambda x: ew.power(x, number(x, 0.5)),  # √-0.0 is -0.0
        lambda x: ew.power(x, number(x, -1)),
        lambda x: ew.integer_power(x, exponent=3),
        lambda x: ew.maximum(x, ew.abs(x)),
        lambda x: ew.bitwise_invert(ew.less(x, number(x, 1))),  # NaN
    ],
)
def test_what_would_not_be_exact_stays(function: Function) -> None:
    graph = graph_of(function, VECTOR)
    assert simplify_arithmetic(graph) is graph


def _one_equation(primitive: Primitive, given: tuple[Value, ...], *inputs: Value) -> Graph:
    equation = Equation(primitive, inputs, {})
    return Graph(given, (equation,), equation.produce((inputs[0].type,), tracked=False))


def test_inputs_are_unknown_whatever_they_were_when_traced() -> None:
    x, cell = placeholder(VECTOR), number(placeholder(VECTOR), 1)  # a cell that held ones
    graph = _one_equation(ew.multiply, (x, cell), x, cell)
    assert simplify_arithmetic(graph) is graph


def test_what_computed_an_input_is_no_part_of_the_graph() -> None:
    outer = graph_of(ew.negative, VECTOR).outputs[0]
    graph = _one_equation(ew.negative, (outer,), outer)
    assert simplify_arithmetic(graph) is graph


def test_what_computed_a_constant_is_no_part_of_the_graph() -> None:
    with recording(True):
        known = ew.negative(leaf(np.ones(VECTOR.shape, np.float32)))
    x = placeholder(VECTOR)
    graph = _one_equation(ew.add, (x,), x, known)
    assert known.equation is not None and simplify_arithmetic(graph) is graph
