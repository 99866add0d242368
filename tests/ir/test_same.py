"""A graph traced twice is the same program; one other constant, parameter, or order of inputs, and it is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.capture import capture
from chainrule.ir.same import same_graph
from chainrule.ir.types import ArrayType

KINDS = [ArrayType((3, 3), np.dtype(np.float32))] * 2
FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "one": lambda x, y: x * 2.0 + y,
    "another number": lambda x, y: x * 2.5 + y,
    "its sign": lambda x, y: x * -0.0 + y,
    "that without it": lambda x, y: x * 0.0 + y,
    "another input": lambda x, y: y * 2.0 + x,
    "another operation": lambda x, y: x * 2.0 - y,
    "an array": lambda x, y: x * np.float32([1, 2, 3]) + y,
    "another array": lambda x, y: x * np.float32([1, 2, 4]) + y,
    "a sum": lambda x, y: x.sum(axis=0),
    "along another axis": lambda x, y: x.sum(axis=1),
    "fewer": lambda x, y: x,
    "a loop": lambda x, y: cr.scan(lambda carry, row: (carry + row * 2.0, None), y[0], x)[0],
    "another loop": lambda x, y: cr.scan(lambda carry, row: (carry + row * 3.0, None), y[0], x)[0],
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_only_the_same_is_the_same(name: str) -> None:
    graph = capture(FUNCTIONS[name], KINDS).graph
    found = [other for other, function in FUNCTIONS.items() if same_graph(graph, capture(function, KINDS).graph)]
    assert found == [name]
