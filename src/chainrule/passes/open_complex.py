"""Complex values become pairs of real ones: no kernel knows complex numbers.

What goes into the program and what comes out of it keeps its memory, where real and imaginary parts lie side by side: a
complex array of some shape is taken for a real one with an axis of 2 more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import GraphError
from ..ir.build import Trace, bind, constant, placeholder, recording, tracing, zeros_like
from ..ir.graph import Equation, Graph, Value
from ..ir.types import ArrayType, bool_, part_dtype
from ..ir.walk import bodies
from ..ops import elementwise as ew
from ..ops import linear, structure
from ..ops.operators import reshape

Pair = tuple[Value, Value]
Part = Any
"""A Value of real numbers, or the Pair that stands for complex ones."""
Params = Mapping[str, Any]
Rule = Callable[[Sequence[Part], Params, Equation], Part]


def open_complex(graph: Graph) -> Graph:
    """`graph` with pairs of real values for complex ones, in the bodies of loops and branches too."""
    if not has_complex(graph):
        return graph
    with tracing(Trace()) as trace, recording(False):
        assert trace is not None
        opener, inputs = _Opener(trace), []
        for value in graph.inputs:
            inputs.append(placeholder(_interleaved(value.type)))
            opener.known[id(value)] = _split(inputs[-1]) if value.type.is_complex else inputs[-1]
        opener.run(graph)
        outputs = [_joined(opener.of(value)) for value in graph.outputs]
    return Graph(tuple(inputs), tuple(trace.equations), tuple(outputs), graph.name)


def has_complex(graph: Graph) -> bool:
    """Whether there is a complex value in it, or in a body in it."""
    if any(value.type.is_complex for value in (*graph.inputs, *graph.outputs)):
        return True
    return any(_concerns(equation) for equation in graph.equations)


def _concerns(equation: Equation) -> bool:
    if any(value.type.is_complex for value in (*equation.inputs, *equation.outputs)):
        return True
    return any(map(has_complex, bodies(equation)))


def _interleaved(kind: ArrayType) -> ArrayType:
    return ArrayType((*kind.shape, 2), part_dtype(kind.dtype)) if kind.is_complex else kind


def _split(value: Value) -> Pair:
    first, second = (reshape(structure.narrow(value, value.ndim - 1, n, n + 1), value.shape[:-1]) for n in (0, 1))
    return first, second


def _joined(part: Part) -> Value:
    if not isinstance(part, tuple):
        value: Value = part
        return value
    wide = [reshape(each, (*each.shape, 1)) for each in part]
    result: Value = structure.concat(*wide, axis=wide[0].ndim - 1)
    return result


def _flat(parts: Sequence[Part]) -> list[Value]:
    return [each for part in parts for each in (part if isinstance(part, tuple) else (part,))]


class _Opener:
    """What stands for the values of a graph, by their ids."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.known: dict[int, Part] = {}

    def of(self, value: Value) -> Part:
        """The value, or the pair, that stands for a value."""
        known = self.known.get(id(value))
        if known is not None:
            return known
        if not value.type.is_complex or value.data is None:
            return value
        return constant(value.data.real), constant(value.data.imag)

    def run(self, graph: Graph) -> None:
        """Write all equations."""
        for equation in graph.equations:
            parts = [self.of(value) for value in equation.inputs]
            results = self._written(equation, parts)
            for value in equation.outputs:
                taken = 2 if value.type.is_complex else 1
                self.known[id(value)] = tuple(results[:2]) if taken == 2 else results[0]
                results = results[taken:]

    def _written(self, equation: Equation, parts: Sequence[Part]) -> list[Value]:
        if not _concerns(equation):
            copy = Equation(equation.primitive, tuple(parts), equation.params, equation.source)
            self.trace.equations.append(copy)
            return list(copy.produce([value.type for value in equation.outputs], tracked=False))
        name, params = equation.primitive.name, dict(equation.params)
        if name in ("scan", "cond", "while_loop", "checkpoint"):
            return _with_bodies(equation, parts, params)
        if name == "custom_gradient":
            return _flat(parts[: params["count"]])
        if name not in RULES:
            raise GraphError(f"{name} of complex numbers has no way into a compiled program")
        return _flat([RULES[name](parts, params, equation)])


def _with_bodies(equation: Equation, parts: Sequence[Part], params: dict[str, Any]) -> list[Value]:
    """A loop or branch whose parts of the carry, and so on, are counted anew."""
    constants, carry = params.get("constants", 0), params.get("carry", 0)
    if "constants" in params:
        params["constants"] = len(_flat(parts[:constants]))
    if "carry" in params:
        params["carry"] = len(_flat(parts[constants : constants + carry]))
    changed = {name: _body(each) if isinstance(each, Graph) else each for name, each in params.items()}
    answer = bind(equation.primitive, *_flat(parts), **changed)
    return list(answer) if isinstance(answer, tuple) else [answer]


def _body(graph: Graph) -> Graph:
    """A body whose inputs and outputs are parts."""
    with tracing(Trace()) as trace, recording(False):
        assert trace is not None
        opener, inputs = _Opener(trace), []
        for value in graph.inputs:
            kind = ArrayType(value.shape, part_dtype(value.dtype))
            own = [placeholder(kind) for _ in range(2 if value.type.is_complex else 1)]
            opener.known[id(value)] = tuple(own) if value.type.is_complex else own[0]
            inputs += own
        opener.run(graph)
        outputs = _flat([opener.of(value) for value in graph.outputs])
    return Graph(tuple(inputs), tuple(trace.equations), tuple(outputs), graph.name)


# -- rules


def _by_parts(parts: Sequence[Part], params: Params, equation: Equation) -> Part:
    """What is done to both parts alike; inputs that are real (masks, indices) are read by both."""
    sides = [[part[side] if isinstance(part, tuple) else part for part in parts] for side in (0, 1)]
    return tuple(bind(equation.primitive, *side, **params) for side in sides)


def _multiply(parts: Sequence[Part], params: Params, equation: Equation) -> Part:
    (a, b), (c, d) = parts
    return a * c - b * d, a * d + b * c


def _divide(parts: Sequence[Part], params: Params, equation: Equation) -> Part:
    """By the larger part of the divisor, as NumPy does it (R. Smith, 1962)."""
    (a, b), (c, d) = parts
    swapped = abs(c) < abs(d)
    large, small = ew.where(swapped, d, c), ew.where(swapped, c, d)
    zero = large == 0
    ratio = ew.where(zero, zeros_like(large), small / large)
    scale = 1 / ew.where(zero, abs(large), large + small * ratio)
    first = ew.where(swapped, a * ratio + b, a + b * ratio)
    second = ew.where(swapped, b * ratio - a, b - a * ratio)
    return first * scale, second * scale


def _matmul(parts: Sequence[Part], params: Params, equation: Equation) -> Part:
    (a, b), (c, d) = parts
    product = linear.matmul
    return product(a, c) - product(b, d), product(a, d) + product(b, c)


def _cast(parts: Sequence[Part], params: Params, equation: Equation) -> Part:
    (part,), target = parts, np.dtype(params["dtype"])
    if target == bool_:
        return (part[0] != 0) | (part[1] != 0)
    wanted = part_dtype(target)
    if isinstance(part, tuple):
        return tuple(_as(each, wanted) for each in part)
    real = _as(part, wanted)
    return real, zeros_like(real)


def _as(value: Value, dtype: Any) -> Value:
    if value.dtype == dtype:
        return value
    result: Value = ew.cast(value, dtype=dtype)
    return result


def _equal(parts: Sequence[Part], params: Params, equation: Equation) -> Part:
    (a, b), (c, d) = parts
    return (a == c) & (b == d)


def _not_equal(parts: Sequence[Part], params: Params, equation: Equation) -> Part:
    (a, b), (c, d) = parts
    return (a != c) | (b != d)


RULES: dict[str, Rule] = {
    **dict.fromkeys(
        (
            *("add", "subtract", "negative", "identity", "stop_gradient", "where", "sum", "cumulative_sum"),
            *("broadcast_to", "reshape", "permute_dims", "concat", "slice", "pad", "flip", "gather", "scatter_add"),
        ),
        _by_parts,
    ),
    "multiply": _multiply,
    "divide": _divide,
    "matmul": _matmul,
    "cast": _cast,
    "equal": _equal,
    "not_equal": _not_equal,
    "real": lambda parts, params, equation: parts[0][0],
    "imag": lambda parts, params, equation: parts[0][1],
    "conj": lambda parts, params, equation: (parts[0][0], -parts[0][1]),
    "complex": lambda parts, params, equation: (parts[0], parts[1]),
}
"""By name of the primitive: what it is on pairs."""
