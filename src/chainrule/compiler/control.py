"""Loops and branches: their bodies are lowered in place, among the instructions of the program.

The carry of a loop has memory of its own, which each round updates; slices of the arrays that are gone through are
views that move on with the round. What a body computes from nothing that changes is a copy at most: those stand
before the loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..ir.graph import Equation, Graph, Value
from .place import Place
from .program import Branch, Instruction, Repeat, While, pointer_to

if TYPE_CHECKING:
    from .units import Lowering


def lower_control(lowering: Lowering, equation: Equation) -> bool:
    """Lower a loop or a branch; False where this is none."""
    maker = {"scan": _scan, "cond": _cond, "while_loop": _while}.get(equation.primitive.name)
    if maker is None:
        return False
    maker(lowering, equation, dict(equation.params))
    return True


def _body(
    lowering: Lowering,
    graph: Graph,
    given: Sequence[Place],
    wanted: Sequence[Place],
    carried: dict[int, int],
    loops: int,
) -> list[Instruction]:
    """The instructions of a body. carried: output -> the input whose memory it takes over."""
    from .schedule import lower_graph
    from .units import Lowering

    inner = Lowering(graph, lowering.module, lowering.target, lowering)
    inner.depth = lowering.depth + loops
    inner.local = {place.buffer.number for place in wanted} | {given[n].buffer.number for n in carried.values()}
    lower_graph(inner, given, wanted, carried)
    return inner.instructions


def _own(lowering: Lowering, value: Value, initial: Place) -> Place:
    """Memory for one part of the carry, with what it starts from."""
    place = lowering.temporary(value.type)
    lowering.copy(initial, place)
    return place


def _scan(lowering: Lowering, equation: Equation, params: dict[str, Any]) -> None:
    graph: Graph = params["body"]
    fixed, carry, length = params["constants"], params["carry"], params["length"]
    places = [lowering.place_of(value) for value in equation.inputs]
    own = [_own(lowering, v, p) for v, p in zip(graph.inputs[fixed : fixed + carry], places[fixed : fixed + carry])]
    stacked = [lowering.allocate(value) for value in equation.outputs[carry:]]
    for value, place in zip(equation.outputs, own):
        lowering.places[id(value)] = place
    if length == 0:
        return
    depth = lowering.depth
    slices = [_slice(place, depth) for place in places[fixed + carry :]]
    given = [*places[:fixed], *own, *slices]
    wanted = [*own, *(_slice(place, depth) for place in stacked)]
    body = _body(lowering, graph, given, wanted, {n: fixed + n for n in range(carry)}, 1)
    lowering.instructions.append(Repeat(body, length, bool(params["reverse"])))


def _slice(place: Place, depth: int) -> Place:
    """One slice along the first axis, the next one in each round."""
    steps = (*place.steps, (depth, place.strides[0]))
    return replace(place, shape=place.shape[1:], strides=place.strides[1:], steps=steps)


def _cond(lowering: Lowering, equation: Equation, params: dict[str, Any]) -> None:
    predicate, *operands = (lowering.place_of(value) for value in equation.inputs)
    wanted = [lowering.allocate(value) for value in equation.outputs]
    bodies = [_body(lowering, params[name], operands, wanted, {}, 0) for name in ("true_body", "false_body")]
    lowering.instructions.append(Branch(bodies[0], pointer_to(predicate), bodies[1]))


def _while(lowering: Lowering, equation: Equation, params: dict[str, Any]) -> None:
    graph, condition, fixed = params["body"], params["condition"], params["constants"]
    places = [lowering.place_of(value) for value in equation.inputs]
    own = [_own(lowering, value, place) for value, place in zip(graph.inputs[fixed:], places[fixed:])]
    for value, place in zip(equation.outputs, own):
        lowering.places[id(value)] = place
    given = [*places[:fixed], *own]
    answer = lowering.temporary(condition.outputs[0].type)
    asks = _body(lowering, condition, given, [answer], {}, 0)
    body = _body(lowering, graph, given, own, {n: fixed + n for n in range(len(own))}, 0)
    lowering.instructions.append(While(body, pointer_to(answer), asks))
