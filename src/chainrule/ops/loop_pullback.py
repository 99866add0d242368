"""The pullback of a loop is a loop the other way; the forward loop keeps for it what it reads of each step."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ..ir.build import Trace, placeholder, tracing
from ..ir.graph import Graph, Value
from ..ir.operand import MEANING
from ..records import dataclass
from . import broadcasting, elementwise, structure
from .pullback import Flags, Joint, cut_out, extended, or_zeros, with_pullback

VIEWS = (broadcasting.broadcast_to, structure.reshape, structure.permute_dims)
REMADE = frozenset((*VIEWS, elementwise.sigmoid, elementwise.tanh))
"""Primitives whose results are not worth keeping: they only show what they read in another form, or their derivative
reads that as well, and to compute them again takes less than to write and read them."""


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
    joint = with_pullback(body, (*wanted[:constants], *floats, *wanted[first_x:]), (*floats, *given))
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
        body=cut_out(joint.forward, arguments, outputs),
        constants=tuple(own[id(value)] for value in used),
        carries=carries,
        summed=summed,
        ys=_places(given),
        residuals=sources,
        xs=xs,
        forward=extended(joint.forward, more) if more else None,
    )


def _found(joint: Joint, place: int) -> Value:
    return or_zeros(joint.found[place], joint.forward.inputs[place])


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
