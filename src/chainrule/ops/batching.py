"""Batching: what each primitive does to a whole batch at once, an axis of examples in front of all others.

`Batcher` goes through equations written for one example and binds each again for a batch. What no input of the batch
reaches is computed once. A rule takes (size, values, flags, params), where flags say which values have the batch axis,
and gives the outputs, all with it. A primitive without a rule runs example after example, as a scan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..ir.build import Trace, bind, placeholder, recording, tracing
from ..ir.graph import Equation, Graph, Value
from ..ir.primitive import Primitive, every
from . import bfloat16, broadcasting, elementwise
from . import complex as complex_numbers
from .control import scanned
from .pullback import loses_track

Flags = Sequence[bool]
Rule = Callable[[int, Sequence[Value], Flags, dict[str, Any]], Sequence[Value]]

RULES: dict[str, Rule] = {}
"""By name of the primitive: batching_rules.py and batching_control.py put theirs here."""

ELEMENTWISE = frozenset(
    each.name
    for module in (elementwise, bfloat16, complex_numbers)
    for each in vars(module).values()
    if isinstance(each, Primitive)
)


class Batcher:
    """Values for one example (by id) to values for the batch, and whether these have the batch axis."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.known: dict[int, tuple[Value, bool]] = {}
        self._kept: list[Any] = []  # so that no id is used twice

    def of(self, value: Value) -> tuple[Value, bool]:
        """What stands for a value; a constant stands for itself."""
        return self.known.get(id(value), (value, False))

    def full(self, value: Value) -> Value:
        """What stands for a value, with the batch axis."""
        return spread_out(*self.of(value), self.size)

    def put(self, value: Value, given: Value, flag: bool) -> None:
        """Let `given` stand for `value`."""
        self.known[id(value)] = (given, flag)
        self._kept.append(value)

    def run(self, equations: Iterable[Equation]) -> None:
        """Bind equations again, in the present context."""
        for equation in equations:
            found = [self.of(value) for value in equation.inputs]
            values, flags = [value for value, _ in found], [flag for _, flag in found]
            if any(flags):
                results = self._batched(equation, values, flags)
            else:
                results = every(bind(equation.primitive, *values, **equation.params))
            if loses_track(equation):
                results = [elementwise.stop_gradient(each) if each.type.is_float else each for each in results]
            for value, result in zip(equation.outputs, results):
                self.put(value, result, any(flags))

    def _batched(self, equation: Equation, values: list[Value], flags: list[bool]) -> Sequence[Value]:
        name, params = equation.primitive.name, dict(equation.params)
        if name == "custom_gradient":
            return self._with_own_rule(equation, flags)
        if name in ELEMENTWISE:
            whole = [spread_out(value, flag, self.size) for value, flag in zip(values, flags)]
            return every(bind(equation.primitive, *whole, **params))
        rule = RULES.get(name)
        if rule is not None:
            return rule(self.size, values, flags, params)
        return one_by_one(self.size, equation, values, flags)

    def _with_own_rule(self, equation: Equation, flags: list[bool]) -> Sequence[Value]:
        """A gradient rule of the user's is for one example: what it writes is batched in turn."""
        rule = equation.params["backward"]

        def backward(cotangents: tuple[Any, ...], position: int) -> Any:
            given = tuple(placeholder(each.type.with_shape(each.shape[1:])) for each in cotangents)
            with tracing(Trace()) as trace, recording(True):
                found = rule(given, position)
            if found is None or trace is None:
                return None
            for place, cotangent in zip(given, cotangents):
                self.put(place, cotangent, True)
            self.run(trace.equations)
            whole = self.full(found)
            return whole if wide[position] else broadcasting.sum(whole, axes=(0,))

        count = equation.params["count"]
        wide = flags[count:]
        outputs = [self.full(value) for value in equation.inputs[:count]]
        inputs = [self.of(value)[0] for value in equation.inputs[count:]]
        return every(bind(equation.primitive, *outputs, *inputs, count=count, backward=backward))


def spread_out(value: Value, flag: bool, size: int) -> Value:
    """A value with the batch axis: the same for all examples where it had none."""
    if flag:
        return value
    result: Value = broadcasting.broadcast_to(value, shape=(size, *value.shape))
    return result


def batched_graph(size: int, graph: Graph, flags: Flags, wanted: Flags | None = None) -> tuple[Graph, list[bool]]:
    """`graph` for a batch, its inputs with the batch axis where flags say so; and which of its outputs have it.

    wanted: the outputs that are to have it in any case.
    """
    with tracing(Trace()) as trace, recording(True):
        assert trace is not None
        batcher, inputs = Batcher(size), []
        for value, flag in zip(graph.inputs, flags):
            kind = value.type.with_shape((size, *value.shape)) if flag else value.type
            inputs.append(placeholder(kind))
            batcher.put(value, inputs[-1], flag)
        batcher.run(graph.equations)
        found = [batcher.of(value)[1] for value in graph.outputs]
        full = found if wanted is None else [has or want for has, want in zip(found, wanted)]
        outputs = [batcher.full(value) if flag else batcher.of(value)[0] for value, flag in zip(graph.outputs, full)]
    return Graph(tuple(inputs), tuple(trace.equations), tuple(outputs), graph.name), full


def one_by_one(size: int, equation: Equation, values: Sequence[Value], flags: Flags) -> Sequence[Value]:
    """Example after example: a scan whose body is the one equation."""
    with tracing(Trace()) as trace, recording(True):
        assert trace is not None
        inputs = [placeholder(value.type) for value in equation.inputs]
        outputs = every(bind(equation.primitive, *inputs, **equation.params))
    order = sorted(range(len(flags)), key=lambda place: flags[place])  # what is the same for all comes first
    body = Graph(tuple(inputs[place] for place in order), tuple(trace.equations), outputs, equation.primitive.name)
    return scanned(body, [values[place] for place in order], flags.count(False), 0, size, False)


def batched_by_leading_axes(*primitives: Primitive) -> None:
    """Write rules of batching for primitives that take any axes in front: the batch axis joins them."""
    RULES.update({each.name: _leading(each) for each in primitives})


def _leading(primitive: Primitive) -> Rule:
    def rule(size: int, values: Sequence[Value], flags: Flags, params: dict[str, Any]) -> Sequence[Value]:
        return every(primitive(*(spread_out(value, flag, size) for value, flag in zip(values, flags)), **params))

    return rule
