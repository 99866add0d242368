"""Pullbacks of graphs: what the derivatives of loops and branches are made of.

The pullback of a graph takes cotangents of its outputs to those of its inputs, and reads some values that the graph
computed on its way (residuals). A loop keeps the residuals of each step; a branch computes them anew.
"""

from __future__ import annotations

import weakref
from collections.abc import Container, Iterable, Mapping, Sequence

from ..autodiff import gradients
from ..errors import GradientError
from ..ir.build import Trace, bind, placeholder, recording, tracing, zeros_like
from ..ir.graph import Equation, Graph, Value
from ..ir.primitive import Primitive, every
from ..ir.walk import rebind
from ..records import dataclass
from .elementwise import stop_gradient

Flags = tuple[bool, ...]


@dataclass(frozen=True)
class Joint:
    """A graph with its pullback behind it. The graph is written anew only where it does not say what is tracked."""

    forward: Graph
    cotangents: tuple[Value, ...]
    found: list[Value | None]


def with_pullback(body: Graph, wanted: Flags, given: Flags) -> Joint:
    """`wanted`: the inputs whose cotangents are asked for; `given`: the outputs that have one."""
    forward = sealed(body, cut=False)
    with tracing(Trace()), recording(True):
        outputs = [value for value, flag in zip(forward.outputs, given) if flag]
        cotangents = tuple(placeholder(value.type) for value in outputs)
        wrt = [value for value, flag in zip(forward.inputs, wanted) if flag]
        found = iter(_in_terms_of(forward, cotangents, gradients(outputs, wrt, cotangents)))
        return Joint(forward, cotangents, [next(found) if flag else None for flag in wanted])


_before: weakref.WeakKeyDictionary[Graph, list[tuple[Value, Value]]] = weakref.WeakKeyDictionary()
"""For a pullback the values that its own ones were copied from: what a gradient rule of the user's may have kept."""


def _in_terms_of(forward: Graph, cotangents: Iterable[Value], found: list[Value | None]) -> list[Value | None]:
    """`found` with the values that `forward` was copied from replaced by its own."""
    before = _before.get(forward)
    if before is None:
        return found
    known = {id(old): new for old, new in before}
    made = (value for equation in forward.equations for value in equation.outputs)
    known.update((id(value), value) for value in (*forward.inputs, *made, *cotangents))
    missing = _between(known.keys(), [each for each in found if each is not None])
    _copy(missing, known)
    return [None if each is None else known.get(id(each), each) for each in found]


def _between(known: Container[int], outputs: Iterable[Value]) -> list[Equation]:
    """The equations that compute `outputs` from what is known (by id), in order."""
    equations: dict[int, Equation] = {}
    waiting = list(outputs)
    while waiting:
        value = waiting.pop()
        equation = value.equation
        if id(value) in known or equation is None or value.data is not None or id(equation) in equations:
            continue
        equations[id(equation)] = equation
        waiting += equation.inputs
    return sorted(equations.values(), key=lambda equation: equation.order)


def sealed(body: Graph, cut: bool = True) -> Graph:
    """`body` where every value that depends on a float is tracked.

    cut: what was computed without recording (in `no_grad`) stays without gradient, by equations that say so. Else it is
    a pass that did not say what is tracked.
    """
    untracked = any(value.type.is_float and not value.tracked for value in body.inputs)
    if not untracked and not any(map(loses_track, body.equations)):
        return body
    with tracing(Trace()) as trace, recording(True):
        assert trace is not None
        inputs = tuple(placeholder(value.type) for value in body.inputs)
        copies = copied(body, inputs, cut)
    outputs = tuple(copies.get(id(value), value) for value in body.outputs)
    return _remembered(Graph(inputs, tuple(trace.equations), outputs, body.name), body, copies, body)


def loses_track(equation: Equation) -> bool:
    """Whether it was written without recording: a float came out untracked though an input was tracked."""
    if not equation.primitive.differentiable or not any(value.tracked for value in equation.inputs):
        return False
    return any(value.type.is_float and not value.tracked for value in equation.outputs)


def copied(graph: Graph, inputs: Sequence[Value], cut: bool = False) -> dict[int, Value]:
    """The equations of `graph` bound again on `inputs`: by the id of each of its values the one that stands for it."""
    known: dict[int, Value] = {id(old): new for old, new in zip(graph.inputs, inputs)}
    _copy(graph.equations, known, cut)
    return known


def _copy(equations: Iterable[Equation], known: dict[int, Value], cut: bool = False) -> None:
    for equation in equations:
        rebind((equation,), known)
        if cut and loses_track(equation):
            floats = [id(value) for value in equation.outputs if value.type.is_float]
            known.update((each, stop_gradient(known[each])) for each in floats)


def cut_out(forward: Graph, inputs: Sequence[Value], outputs: Sequence[Value]) -> Graph:
    """The graph that computes `outputs` from `inputs`, which something may have computed before."""
    known = {id(value) for value in inputs}
    ordered = _between(known, outputs)
    _refuse_unknown(ordered, known)
    return _with_own_values(Graph(tuple(inputs), tuple(ordered), tuple(outputs), f"{forward.name}_pullback"), forward)


def _refuse_unknown(equations: Iterable[Equation], known: set[int]) -> None:
    """What a gradient rule of the user's kept belongs to the first pullback of a body; in the next it is not there."""
    for equation in equations:
        known.update(id(value) for value in equation.outputs)
        for value in equation.inputs:
            if value.data is None and id(value) not in known:
                raise GradientError(
                    f"a custom_gradient inside cr.scan or cr.cond keeps a value of type {value.type} that is not at "
                    "hand for a derivative of this order; let its backward compute it from the arguments"
                )


def _with_own_values(graph: Graph, forward: Graph) -> Graph:
    with tracing(Trace()) as trace, recording(True):
        assert trace is not None
        inputs = tuple(placeholder(value.type) for value in graph.inputs)
        copies = copied(graph, inputs)
    outputs = tuple(copies.get(id(value), value) for value in graph.outputs)
    return _remembered(Graph(inputs, tuple(trace.equations), outputs, graph.name), graph, copies, forward)


def _remembered(result: Graph, graph: Graph, copies: dict[int, Value], forward: Graph) -> Graph:
    """`result`, a copy of `graph`, which was made of the values of `forward`."""
    values = (*graph.inputs, *(value for equation in graph.equations for value in equation.outputs))
    earlier = [(old, copies[id(new)]) for old, new in _before.get(forward, ()) if id(new) in copies]
    _before[result] = [*earlier, *((value, copies[id(value)]) for value in values)]
    return result


def extended(body: Graph, more: Sequence[Value]) -> Graph:
    """`body` with more of its values as outputs."""
    result = Graph(body.inputs, body.equations, (*body.outputs, *more), body.name)
    if body in _before:
        _before[result] = _before[body]
    return result


# -- branches


def branch_pullback(body: Graph, wanted: Flags, given: Flags) -> Graph:
    """(*inputs of the body, *cotangents given) -> the cotangents wanted."""
    joint = with_pullback(body, wanted, given)
    inputs = joint.forward.inputs
    outputs = [or_zeros(each, value) for each, value, flag in zip(joint.found, inputs, wanted) if flag]
    return cut_out(joint.forward, (*inputs, *joint.cotangents), outputs)


def branches_rule(
    primitive: Primitive,
    bodies: Mapping[str, Graph],
    wanted: Flags,
    cotangents: Sequence[Value | None],
    inputs: Sequence[Value],
    before: int = 0,
) -> list[Value | None]:
    """The rule of a primitive that runs one of its bodies: the same primitive, of their pullbacks.

    bodies: by the names of the parameters. before: so many inputs come before those of the bodies.
    """
    asked = tuple(flag and value.type.is_float for flag, value in zip(wanted, inputs))
    if not any(asked):
        return [None] * len(inputs)
    present = [each for each in cotangents if each is not None and each.type.is_float]
    given = tuple(each is not None and each.type.is_float for each in cotangents)
    pullbacks = {name: branch_pullback(body, asked[before:], given) for name, body in bodies.items()}
    found = iter(every(bind(primitive, *inputs, *present, **pullbacks)))
    return [next(found) if flag else None for flag in asked]


def or_zeros(found: Value | None, like: Value) -> Value:
    """A cotangent; zeros of the type of `like` where there is none."""
    return zeros_like(like) if found is None else found
