"""Batching of loops and branches: their bodies are batched; what of the carry has the batch axis is found by trying."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ir.build import Trace, bind, placeholder, recording, tracing
from ..ir.graph import Graph, Value
from ..ir.primitive import every
from ..ir.walk import inline
from . import broadcasting, elementwise, reduction, structure
from .batching import RULES, Flags, batched_graph, spread_out
from .control import cond, scanned, while_loop


def _scan(size: int, values: Sequence[Value], flags: Flags, params: dict[str, Any]) -> Sequence[Value]:
    constants, carry, body = params["constants"], params["carry"], params["body"]
    first_x = constants + carry
    state = list(flags[constants:first_x])
    while True:
        wanted = [*state, *[False] * (len(body.outputs) - carry)]
        new, found = batched_graph(size, body, [*flags[:constants], *state, *flags[first_x:]], wanted)
        if found[:carry] == state:
            break
        state = found[:carry]
    inputs = [*values[:constants], *_widened(size, values[constants:first_x], flags[constants:first_x], state)]
    inputs += [_swapped(value) if flag else value for value, flag in zip(values[first_x:], flags[first_x:])]
    results = scanned(new, inputs, constants, carry, params["length"], params["reverse"])
    ends = [spread_out(value, flag, size) for value, flag in zip(results[:carry], state)]
    ys = [
        _swapped(value) if flag else spread_out(value, False, size)
        for value, flag in zip(results[carry:], found[carry:])
    ]
    return [*ends, *ys]


def _widened(size: int, values: Sequence[Value], flags: Flags, wanted: Flags) -> list[Value]:
    return [spread_out(v, has, size) if want else v for v, has, want in zip(values, flags, wanted)]


def _swapped(value: Value) -> Any:
    """The first two axes change places: of the examples, and of the steps."""
    return structure.permute_dims(value, axes=(1, 0, *range(2, value.ndim)))


def _cond(size: int, values: Sequence[Value], flags: Flags, params: dict[str, Any]) -> Sequence[Value]:
    predicate, *operands = values
    bodies = [params["true_body"], params["false_body"]]
    everywhere = [True] * len(bodies[0].outputs)
    new = [batched_graph(size, body, flags[1:], everywhere)[0] for body in bodies]
    if not flags[0]:
        return every(bind(cond, predicate, *operands, true_body=new[0], false_body=new[1]))
    answers = []
    for graph in new:  # some examples take the one branch, some the other: both are computed
        answers.append(inline(graph, operands))
    return [_chosen(predicate, now, other) for now, other in zip(*answers)]


def _chosen(predicate: Value, first: Value, second: Value) -> Value:
    """(size,) bools choose between (size, ...) and (size, ...)."""
    wide = structure.reshape(predicate, shape=(predicate.shape[0], *[1] * (first.ndim - 1)))
    result: Value = elementwise.where(broadcasting.broadcast_to(wide, shape=first.shape), first, second)
    return result


def _while_loop(size: int, values: Sequence[Value], flags: Flags, params: dict[str, Any]) -> Sequence[Value]:
    """Goes on while any example does; those that are done keep what they have."""
    constants, body, condition = params["constants"], params["body"], params["condition"]
    state = list(flags[constants:])
    while True:
        goes_on, (each_decides,) = batched_graph(size, condition, [*flags[:constants], *state])
        if each_decides and not all(state):
            state = [True] * len(state)
            continue
        new, found = batched_graph(size, body, [*flags[:constants], *state], state)
        if found == state:
            break
        state = found
    inputs = [*values[:constants], *_widened(size, values[constants:], flags[constants:], state)]
    if each_decides:
        goes_on, new = _any(goes_on), _step_of_some(goes_on, new, constants)
    results = every(bind(while_loop, *inputs, condition=goes_on, body=new, constants=constants))
    return [spread_out(value, flag, size) for value, flag in zip(results, state)]


def _any(condition: Graph) -> Graph:
    with tracing(Trace()) as trace, recording(True):
        assert trace is not None
        inputs = tuple(placeholder(value.type) for value in condition.inputs)
        (of_each,) = inline(condition, inputs)
        answer = reduction.any(of_each, axes=(0,))
    return Graph(inputs, tuple(trace.equations), (answer,), condition.name)


def _step_of_some(condition: Graph, body: Graph, constants: int) -> Graph:
    with tracing(Trace()) as trace, recording(True):
        assert trace is not None
        inputs = tuple(placeholder(value.type) for value in body.inputs)
        (going,) = inline(condition, inputs)
        outputs = [_chosen(going, *each) for each in zip(inline(body, inputs), inputs[constants:])]
    return Graph(inputs, tuple(trace.equations), tuple(outputs), body.name)


RULES.update(scan=_scan, cond=_cond, while_loop=_while_loop)
