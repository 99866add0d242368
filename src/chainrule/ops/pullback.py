"""Pullbacks of graphs: what the derivatives of loops and branches are made of.

The pullback of a graph takes cotangents of its outputs to those of its inputs, and reads some values that the graph
computed on its way (residuals). A loop keeps the residuals of each step; a branch computes them anew.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..autodiff import gradients
from ..errors import GradientError
from ..ir.build import Trace, bind, placeholder, recording, tracing, zeros_like
from ..ir.graph import Equation, Graph, Value
from ..ir.operand import MEANING
from ..ir.types import ArrayType
from . import structure
from .elementwise import stop_gradient

REMADE = frozenset((structure.broadcast_to, structure.reshape, structure.permute_dims))
"""Primitives whose results are not worth keeping: they only show what they read in another form."""

Flags = tuple[bool, ...]


@dataclass(frozen=True)
class _Joint:
    """A graph with its pullback behind it. The graph is written anew only where it does not say what is tracked."""

    forward: Graph
    cotangents: tuple[Value, ...]
    found: list[Value | None]


def _joint(body: Graph, wanted: Flags, given: Flags) -> _Joint:
    """`wanted`: the inputs whose cotangents are asked for; `given`: the outputs that have one."""
    forward = sealed(body, cut=False)
    with tracing(Trace()), recording(True):
        outputs = [value for value, flag in zip(forward.outputs, given) if flag]
        cotangents = tuple(placeholder(value.type) for value in outputs)
        wrt = [value for value, flag in zip(forward.inputs, wanted) if flag]
        found = iter(gradients(outputs, wrt, cotangents))
        return _Joint(forward, cotangents, [next(found) if flag else None for flag in wanted])


def sealed(body: Graph, cut: bool = True) -> Graph:
    """`body` where every value that depends on a float is tracked.

    cut: what was computed without recording (in `no_grad`) stays without gradient, by equations that say so. Else it is
    a pass that did not say what is tracked.
    """
    untracked = any(value.type.is_float and not value.tracked for value in body.inputs)
    if not untracked and not any(map(_loses_track, body.equations)):
        return body
    with tracing(Trace()) as trace, recording(True):
        assert trace is not None
        inputs = tuple(placeholder(value.type) for value in body.inputs)
        copies = copied(body, inputs, cut)
    outputs = tuple(copies.get(id(value), value) for value in body.outputs)
    return Graph(inputs, tuple(trace.equations), outputs, body.name)


def _loses_track(equation: Equation) -> bool:
    if not equation.primitive.differentiable or not any(value.tracked for value in equation.inputs):
        return False
    return any(value.type.is_float and not value.tracked for value in equation.outputs)


def copied(graph: Graph, inputs: Sequence[Value], cut: bool = False) -> dict[int, Value]:
    """The equations of `graph` bound again on `inputs`: by the id of each of its values the one that stands for it."""
    known: dict[int, Value] = {id(old): new for old, new in zip(graph.inputs, inputs)}
    for equation in graph.equations:
        arguments = [known.get(id(value), value) for value in equation.inputs]
        answer: Any = bind(equation.primitive, *arguments, **equation.params)
        results = answer if isinstance(answer, tuple) else (answer,)
        if cut and _loses_track(equation):
            results = tuple(stop_gradient(each) if each.type.is_float else each for each in results)
        known.update((id(old), new) for old, new in zip(equation.outputs, results))
    return known


def _cut(inputs: Sequence[Value], outputs: Sequence[Value], name: str) -> Graph:
    """The graph that computes `outputs` from `inputs`, which something may have computed before."""
    equations: dict[int, Equation] = {}
    known = {id(value) for value in inputs}
    waiting = list(outputs)
    while waiting:
        value = waiting.pop()
        equation = value.equation
        if id(value) in known or equation is None or value.data is not None or id(equation) in equations:
            continue
        equations[id(equation)] = equation
        waiting += equation.inputs
    ordered = tuple(sorted(equations.values(), key=lambda equation: equation.order))
    _refuse_unknown(ordered, known)
    return _with_own_values(Graph(tuple(inputs), ordered, tuple(outputs), name))


def _refuse_unknown(equations: Iterable[Equation], known: set[int]) -> None:
    """What a gradient rule of the user's kept belongs to the first pullback of a body; in the next it is not there."""
    for equation in equations:
        known.update(id(value) for value in equation.outputs)
        for value in equation.inputs:
            if value.data is None and id(value) not in known:
                raise GradientError(
                    "a function with a custom_gradient inside cr.scan or cr.cond can be differentiated once only; "
                    f"write it without a gradient of its own (it keeps a value of type {value.type})"
                )


def _with_own_values(graph: Graph) -> Graph:
    with tracing(Trace()) as trace, recording(True):
        assert trace is not None
        inputs = tuple(placeholder(value.type) for value in graph.inputs)
        copies = copied(graph, inputs)
    outputs = tuple(copies.get(id(value), value) for value in graph.outputs)
    return Graph(inputs, tuple(trace.equations), outputs, graph.name)


# -- branches


def branch_pullback(body: Graph, wanted: Flags, given: Flags) -> Graph:
    """(*inputs of the body, *cotangents given) -> the cotangents wanted."""
    joint = _joint(body, wanted, given)
    inputs = joint.forward.inputs
    outputs = [_or_zeros(each, value) for each, value, flag in zip(joint.found, inputs, wanted) if flag]
    return _cut((*inputs, *joint.cotangents), outputs, f"{body.name}_pullback")


def _or_zeros(found: Value | None, like: Value) -> Value:
    return zeros_like(like) if found is None else found


# -- loops


class Source(NamedTuple):
    """Where the backward loop finds a residual: among the "x" of the forward loop, or its "y"."""

    kind: str
    position: int


@dataclass(frozen=True)
class LoopPullback:
    """How the cotangents of a loop are computed, by a loop that runs the other way.

    body: (*constants, *carry, *xs) -> (*carry, *ys) with
        constants: those of the forward loop at `constants`;
        carry: cotangents of its carries (the floats, at `carries`), then the sums so far of those of its constants
            (the wanted ones, at `summed`);
        xs: cotangents of its ys (those at `ys`), then the residuals, found as `residuals` says;
        ys: cotangents of its xs (the wanted ones, at `xs`).
    forward: the body of the forward loop with more ys, the residuals that it does not give; None where it gives all.
    """

    body: Graph
    constants: tuple[int, ...]
    carries: tuple[int, ...]
    summed: tuple[int, ...]
    ys: tuple[int, ...]
    residuals: tuple[Source, ...]
    xs: tuple[int, ...]
    forward: Graph | None


_known: weakref.WeakKeyDictionary[Graph, dict[Any, Any]] = weakref.WeakKeyDictionary()


def loop_pullback(body: Graph, constants: int, carry: int, wanted: Flags, given: Flags) -> LoopPullback:
    """The pullback of a loop around `body`: see LoopPullback.

    wanted: for each input of the body whether its cotangent is asked for (what starts a carry is always computed);
    given: for each of its ys whether it has one.
    """
    known = _known.setdefault(body, {})
    key = (constants, carry, wanted, given)
    if key not in known:
        known[key] = _loop_pullback(body, constants, carry, wanted, given)
    found: LoopPullback = known[key]
    return found


def _loop_pullback(body: Graph, constants: int, carry: int, wanted: Flags, given: Flags) -> LoopPullback:
    first_x = constants + carry
    floats = tuple(value.type.is_float for value in body.outputs[:carry])
    joint = _joint(body, (*wanted[:constants], *floats, *wanted[first_x:]), (*floats, *given))
    carries, summed, xs = _places(floats), _places(wanted[:constants]), _places(wanted[first_x:])
    inputs = joint.forward.inputs
    sums = [placeholder(inputs[place].type) for place in summed]
    outputs = [_found(joint, constants + place) for place in carries]
    with tracing(Trace()):
        outputs += [_sum(total, joint.found[place]) for total, place in zip(sums, summed)]
    outputs += [_found(joint, first_x + place) for place in xs]
    read = _residuals(joint.forward, outputs, constants)
    own = {id(value): place for place, value in enumerate(inputs[:constants])}
    used = [value for value in read if id(value) in own]
    kept = [value for value in read if id(value) not in own]
    sources, more = _sources(joint.forward, kept, constants, carry)
    split = len(carries)
    arguments = (*used, *joint.cotangents[:split], *sums, *joint.cotangents[split:], *kept)
    return LoopPullback(
        body=_cut(arguments, outputs, f"{body.name}_pullback"),
        constants=tuple(own[id(value)] for value in used),
        carries=carries,
        summed=summed,
        ys=_places(given),
        residuals=sources,
        xs=xs,
        forward=_extended(joint.forward, more) if more else None,
    )


def _found(joint: _Joint, place: int) -> Value:
    return _or_zeros(joint.found[place], joint.forward.inputs[place])


def _places(flags: Flags) -> tuple[int, ...]:
    return tuple(place for place, flag in enumerate(flags) if flag)


def _sum(total: Value, contribution: Value | None) -> Value:
    return total if contribution is None else MEANING["add"](total, contribution)


def _residuals(forward: Graph, outputs: Iterable[Value], constants: int) -> list[Value]:
    """What `outputs` read of the graph itself, in the order in which it is computed; inputs come first."""
    kept = {id(equation) for equation in forward.equations} - _remade(forward, constants)
    places = {id(value): place for place, value in enumerate(forward.inputs)}
    found: dict[int, Value] = {}
    seen: set[int] = set()
    waiting = list(outputs)
    while waiting:
        value = waiting.pop()
        if id(value) in seen or value.data is not None:
            continue
        seen.add(id(value))
        if id(value) in places or id(value.equation) in kept:
            found[id(value)] = value
        elif value.equation is not None:
            waiting += value.equation.inputs
    return sorted(found.values(), key=lambda value: _moment(value, places))


def _moment(value: Value, places: dict[int, int]) -> tuple[int, int]:
    return (-1, places[id(value)]) if value.equation is None else (value.equation.order, value.index)


def _remade(forward: Graph, constants: int) -> set[int]:
    """Equations (by id) that are computed anew instead of keeping their results at each step.

    Those that read only constants of the loop are the same in all steps.
    """
    steady = {id(value) for value in forward.inputs[:constants]}
    remade = set()
    for equation in forward.equations:
        if all(value.data is not None or id(value) in steady for value in equation.inputs):
            steady.update(id(value) for value in equation.outputs)
            remade.add(id(equation))
        elif equation.primitive in REMADE:
            remade.add(id(equation))
    return remade


def _sources(
    forward: Graph, kept: Sequence[Value], constants: int, carry: int
) -> tuple[tuple[Source, ...], list[Value]]:
    """Where the residuals are found, and those that the loop has to give as well."""
    places = {id(value): place for place, value in enumerate(forward.inputs[constants + carry :])}
    ys = [id(value) for value in forward.outputs[carry:]]
    sources, more = [], []
    for value in kept:
        if id(value) in places:
            sources.append(Source("x", places[id(value)]))
            continue
        if id(value) not in ys:
            ys.append(id(value))
            more.append(value)
        sources.append(Source("y", ys.index(id(value))))
    return tuple(sources), more


def _extended(body: Graph, more: Sequence[Value]) -> Graph:
    return Graph(body.inputs, body.equations, (*body.outputs, *more), body.name)


def element_of(kind: ArrayType) -> ArrayType:
    """The type of one slice along the first axis."""
    return kind.with_shape(kind.shape[1:])


def stacked(kind: ArrayType, length: int) -> ArrayType:
    """The type of `length` slices along a first axis."""
    return kind.with_shape((length, *kind.shape))
