"""Loops and branches: their bodies are lowered in place, among the instructions of the program.

The carry of a loop has memory of its own, which each round updates; slices of the arrays that are gone through are
views that move on with the round. Copies that a body's kernels need in another layout stand before the loop if what
they are made of does not change in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...ir.graph import Equation, Value
from ..planning.place import Place
from ..planning.program import Branch, While, pointer_to
from .body import lower_body
from .scan import lower_scan

if TYPE_CHECKING:
    from ..planning.lowering import Lowering


def lower_control(lowering: Lowering, equation: Equation) -> bool:
    """Lower a loop or a branch; False where this is none."""
    if equation.primitive.name == "scan":
        lower_scan(lowering, equation)
        return True
    maker = {"cond": _cond, "while_loop": _while}.get(equation.primitive.name)
    if maker is None:
        return False
    maker(lowering, equation, dict(equation.params))
    return True


def _cond(lowering: Lowering, equation: Equation, params: dict[str, Any]) -> None:
    predicate, *operands = (lowering.place_of(value) for value in equation.inputs)
    wanted = [lowering.allocate(value) for value in equation.outputs]
    bodies = [lower_body(lowering, params[name], operands, wanted, {}, 0) for name in ("true_body", "false_body")]
    lowering.instructions.append(Branch(bodies[0], pointer_to(predicate), bodies[1]))


def _own(lowering: Lowering, value: Value, initial: Place) -> Place:
    """Memory for one part of the carry, with what it starts from."""
    place = lowering.temporary(value.type)
    lowering.copy(initial, place)
    return place


def _while(lowering: Lowering, equation: Equation, params: dict[str, Any]) -> None:
    graph, condition, fixed = params["body"], params["condition"], params["constants"]
    places = [lowering.place_of(value) for value in equation.inputs]
    own = [_own(lowering, value, place) for value, place in zip(graph.inputs[fixed:], places[fixed:])]
    for value, place in zip(equation.outputs, own):
        lowering.places[id(value)] = place
    given = [*places[:fixed], *own]
    answer = lowering.temporary(condition.outputs[0].type)
    asks = lower_body(lowering, condition, given, [answer], {}, 0, own)
    body = lower_body(lowering, graph, given, own, {n: fixed + n for n in range(len(own))}, 0)
    lowering.instructions.append(While(body, pointer_to(answer), asks))
