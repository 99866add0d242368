"""What the tests of passes share: graphs of bare primitives, and a comparison by bits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.ir.build import Trace, constant, placeholder, splat, tracing
from chainrule.ir.check import check_graph
from chainrule.ir.graph import Graph, Value
from chainrule.ir.types import ArrayType, float32
from chainrule.reference import run

Array = np.ndarray[Any, Any]
NASTY = (0.0, -0.0, 1.0, -1.0, 2.5, -1e-30, 3e-45, 1e38, np.inf, -np.inf, np.nan, 0.1)
"""Numbers at which a rule that is nearly right goes wrong."""


def graph_of(function: Callable[..., Any], *kinds: ArrayType) -> Graph:
    """The graph of a function of Values: primitives as they are, without what public functions add."""
    inputs, writing = tuple(map(placeholder, kinds)), Trace()
    with tracing(writing):
        answer = function(*inputs)
    outputs = answer if isinstance(answer, tuple) else (answer,)
    return check_graph(Graph(inputs, tuple(writing.equations), outputs))


def names(graph: Graph) -> list[str]:
    """The primitives of a graph in their order."""
    return [equation.primitive.name for equation in graph.equations]


def number(like: Value, value: float) -> Value:
    """A constant of one number, of the type of `like`."""
    return splat(value, like.type)


def array(*elements: float) -> Value:
    """A float32 vector that is known."""
    return constant(np.array(elements, np.float32))


def nasty(kind: ArrayType, shift: int = 0) -> Array:
    """An array of numbers at which rules go wrong; for integers their extremes."""
    if kind.dtype.kind == "f":
        elements: Any = np.array(NASTY)
    elif kind.dtype.kind == "b":
        elements = np.array([True, False, False])
    else:
        limits = np.iinfo(kind.dtype)
        elements = np.array([0, 1, 2, limits.max, limits.min, 3], kind.dtype)
    with np.errstate(over="ignore"):
        return np.resize(np.roll(elements, shift), kind.shape).astype(kind.dtype)


def assert_same_bits(found: Sequence[Array], expected: Sequence[Array]) -> None:
    """Equal bits, but for the sign and payload of NaN."""
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype and one.shape == other.shape
        nan, zero = (one != one) & (other != other), one.dtype.type(0)
        assert np.where(nan, zero, one).tobytes() == np.where(nan, zero, other).tobytes()


def assert_same_meaning(changed: Graph, graph: Graph, rounds: int = 12) -> None:
    """Both graphs give the same bits, on nasty numbers in every position."""
    for turn in range(rounds):
        inputs = [nasty(value.type, turn * (place + 1)) for place, value in enumerate(graph.inputs)]
        assert_same_bits(run(changed, inputs), run(graph, inputs))


VECTOR = ArrayType((len(NASTY),), float32)
