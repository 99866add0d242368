"""Compute first, broadcast then: fewer elements are computed, of the same bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule.ir.build import constant
from chainrule.ir.graph import Graph
from chainrule.ir.types import ArrayType, float32, float64
from chainrule.ops import broadcasting, structure
from chainrule.ops import elementwise as ew
from chainrule.passes import delay_broadcasts, remove_unused

from .helpers import array, assert_same_meaning, graph_of, names, number

Function = Callable[..., Any]
NUMBER, ROW, COLUMN, MATRIX = (ArrayType(shape, float32) for shape in ((), (12,), (6, 1), (6, 12)))


def wide(x: Any, *shape: int) -> Any:
    return broadcasting.broadcast_to(x, shape=shape or MATRIX.shape)


def computed(graph: Graph) -> int:
    """Elements that elementwise equations compute."""
    return sum(equation.outputs[0].size for equation in graph.equations if equation.primitive.name != "broadcast_to")


@pytest.mark.parametrize(
    ("function", "kinds", "expected", "elements"),
    [
        (lambda x: ew.exp(wide(x)), (ROW,), "exp broadcast_to", 12),
        (lambda x: ew.cast(wide(x), dtype=float64), (COLUMN,), "cast broadcast_to", 6),
        (lambda x, y: ew.add(wide(x), wide(y)), (ROW, ROW), "add broadcast_to", 12),
        (lambda x: ew.multiply(wide(x), number(wide(x), 0.1)), (NUMBER,), "multiply broadcast_to", 1),
        (lambda x: ew.multiply(number(wide(x), 0.1), wide(x)), (ROW,), "multiply broadcast_to", 12),
        (lambda x: ew.sqrt(ew.add(wide(x), number(wide(x), 1))), (ROW,), "add sqrt broadcast_to", 24),
        (lambda x, y: ew.add(wide(x), wide(y)), (NUMBER, ROW), "broadcast_to add broadcast_to", 12),
        (lambda x: ew.where(ew.isnan(wide(x)), number(wide(x), 0), wide(x)), (ROW,), "isnan where broadcast_to", 24),
        (lambda x: ew.multiply(wide(x), constant(np.broadcast_to(array(*range(12)).data, (6, 12)))), (ROW,), None, 12),
        (lambda x: ew.power(wide(x), number(wide(x), 2.5)), (ROW,), "power broadcast_to", 12),
        (lambda x, y: ew.add(wide(x, 2, 6, 12), wide(y, 2, 6, 12)), (ROW, COLUMN), None, 72),
    ],
)
def test_broadcasts_come_last(
    function: Function, kinds: tuple[ArrayType, ...], expected: str | None, elements: int
) -> None:
    graph = graph_of(function, *kinds)
    changed = remove_unused(delay_broadcasts(graph))
    assert expected is None or names(changed) == expected.split()
    assert names(changed)[-1] == "broadcast_to" and computed(changed) == elements
    assert_same_meaning(changed, graph)


@pytest.mark.parametrize(
    ("function", "kinds"),
    [
        (lambda x, y: ew.add(wide(x), y), (ROW, MATRIX)),
        (lambda x, y: ew.add(wide(x), wide(y)), (ROW, COLUMN)),
        (lambda x: ew.multiply(wide(x), constant(np.ones((6, 12), np.float32))), (ROW,)),
        (lambda x, y: ew.power(wide(x), wide(y)), (NUMBER, NUMBER)),
        (lambda x: structure.reshape(wide(x), shape=(72,)), (ROW,)),
        (lambda x: ew.exp(wide(x, 1, 1)), (NUMBER,)),
    ],
)
def test_where_nothing_is_saved_all_stays(function: Function, kinds: tuple[ArrayType, ...]) -> None:
    graph = graph_of(function, *kinds)
    assert delay_broadcasts(graph) is graph
