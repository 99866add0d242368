"""Loops and branches as ONNX operators: scan is Scan, cond is If, while_loop is Loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...ir.graph import Equation, Graph, Value
from ...ir.types import bool_, int64
from .package import onnx
from .writer import Emitter, Scope, Writer


def _graph(w: Writer, scope: Scope, name: str, inputs: Sequence[Any], outputs: Sequence[Any]) -> Any:
    return onnx().helper.make_graph(scope.nodes, w.fresh(name), list(inputs), list(outputs))


def _entered(w: Writer, values: Sequence[Value], hint: str) -> list[Any]:
    """Inputs of a body: they get names, and are described."""
    described = []
    for value in values:
        name = w.fresh(hint)
        w.set_name(value, name)
        described.append(w.described(name, value))
    return described


def _given(w: Writer, values: Sequence[Value], names: Sequence[str]) -> None:
    """Inputs of a body that are values around it: ONNX's bodies see these."""
    for value, name in zip(values, names):
        w.set_name(value, name)


def _left(w: Writer, values: Sequence[Value]) -> list[Any]:
    return [w.described(w.own(value), value) for value in values]


def _scan(w: Writer, equation: Equation) -> list[str]:
    params = equation.params
    body: Graph = params["body"]
    constants, first_x = params["constants"], params["constants"] + params["carry"]
    names = [w.name(value) for value in equation.inputs]
    with w.inside() as scope:
        _given(w, body.inputs[:constants], names[:constants])
        inputs = _entered(w, body.inputs[constants:], "carried")
        w.emit(body)
        graph = _graph(w, scope, "body", inputs, _left(w, body.outputs))
    count, directions = len(equation.outputs), int(params["reverse"])
    stacked = count - params["carry"]
    return w.nodes_of(
        "Scan",
        names[constants:],
        count,
        body=graph,
        num_scan_inputs=len(names) - first_x,
        **({"scan_input_directions": [directions] * (len(names) - first_x)} if len(names) > first_x else {}),
        **({"scan_output_directions": [directions] * stacked} if stacked else {}),
    )


def _cond(w: Writer, equation: Equation) -> list[str]:
    predicate, *names = [w.name(value) for value in equation.inputs]
    branches = {}
    for attribute, key in (("then_branch", "true_body"), ("else_branch", "false_body")):
        body: Graph = equation.params[key]
        with w.inside() as scope:
            _given(w, body.inputs, names)
            w.emit(body)
            branches[attribute] = _graph(w, scope, key, [], _left(w, body.outputs))
    return w.nodes_of("If", [predicate], len(equation.outputs), **branches)


def _while_loop(w: Writer, equation: Equation) -> list[str]:
    condition, body, constants = (equation.params[key] for key in ("condition", "body", "constants"))
    names = [w.name(value) for value in equation.inputs]
    _given(w, condition.inputs, names)
    w.emit(condition)
    start = w.name(condition.outputs[0])
    helper = onnx().helper
    with w.inside() as scope:
        round_name, before = w.fresh("round"), w.fresh("goes_on")
        inputs = [
            helper.make_tensor_value_info(round_name, helper.np_dtype_to_tensor_dtype(int64), []),
            helper.make_tensor_value_info(before, helper.np_dtype_to_tensor_dtype(bool_), []),
        ]
        _given(w, body.inputs[:constants], names[:constants])
        inputs += _entered(w, body.inputs[constants:], "carried")
        w.emit(body)
        carried = [w.name(value) for value in body.outputs]
        _given(w, condition.inputs, [*names[:constants], *carried])
        w.emit(condition)
        graph = _graph(w, scope, "body", inputs, _left(w, [condition.outputs[0], *body.outputs]))
    return w.nodes_of("Loop", ["", start, *names[constants:]], len(equation.outputs), body=graph)


def _inline(w: Writer, equation: Equation) -> list[str]:
    body: Graph = equation.params["body"]
    _given(w, body.inputs, [w.name(value) for value in equation.inputs])
    w.emit(body)
    return [w.name(value) for value in body.outputs]


def _passed_on(w: Writer, equation: Equation) -> list[str]:
    return [w.name(value) for value in equation.inputs[: len(equation.outputs)]]


CONTROL: dict[str, Emitter] = {
    "scan": _scan,
    "cond": _cond,
    "while_loop": _while_loop,
    "checkpoint": _inline,
    "custom_gradient": _passed_on,
}
