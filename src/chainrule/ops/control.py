"""Control flow: a loop of known length, a branch, a loop of unknown length. Their bodies are graphs, as parameters.

Bodies are closed: all they read are their inputs and constants with data.

    scan(*constants, *carry, *xs; body, constants, carry, length, reverse) -> (*carry, *ys)
        body: (*constants, *carry, *slices of xs) -> (*carry, *slices of ys). xs and ys have a first axis of `length`.
        reverse: from the last slice to the first; slice i of the ys is still what slice i of the xs gave.
    cond(predicate, *operands; true_body, false_body) -> what the body chosen gives
        bodies: (*operands) -> outputs, of the same types for both.
    while_loop(*constants, *carry; condition, body, constants) -> carry
        condition: (*constants, *carry) -> one bool. body: (*constants, *carry) -> carry.

`constants` and `carry` as parameters count inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import GradientError, GraphError, ShapeError
from ..ir.build import bind, evaluate, is_recording, zeros_like
from ..ir.graph import Graph, Value
from ..ir.primitive import JointRule, NoGradient, Primitive, every, register
from ..ir.types import ArrayType, NumpyArray, bool_
from . import control_samples as samples
from .loop_pullback import LoopPullback, Source, loop_pullback
from .pullback import branches_rule

Types = tuple[ArrayType, ...]


def element_of(kind: ArrayType) -> ArrayType:
    """The type of one slice along the first axis."""
    return kind.with_shape(kind.shape[1:])


def _one_or_all(answers: Sequence[Any]) -> Any:
    return answers[0] if len(answers) == 1 else tuple(answers)


def _input_types(body: Graph) -> Types:
    return tuple(value.type for value in body.inputs)


def _output_types(body: Graph) -> Types:
    return tuple(value.type for value in body.outputs)


def _require(what: str, expected: Types, given: Types) -> None:
    if expected != given:
        raise ShapeError(f"{what}: expected {_listed(expected)}; given {_listed(given)}")


def _listed(kinds: Types) -> str:
    return ", ".join(map(str, kinds)) or "nothing"


def runner(graph: Graph) -> Callable[[Sequence[NumpyArray]], list[Any]]:
    """`graph` as a function of arrays: its meaning in NumPy."""
    steps = [
        (equation.primitive, equation.inputs, dict(equation.params), tuple(value.type for value in equation.outputs))
        for equation in graph.equations
    ]
    outputs = [equation.outputs for equation in graph.equations]

    def run(arrays: Sequence[NumpyArray]) -> list[Any]:
        known: dict[int, Any] = {id(value): array for value, array in zip(graph.inputs, arrays)}
        for (primitive, inputs, params, types), made in zip(steps, outputs):
            results = evaluate(primitive, [known.get(id(each), each.data) for each in inputs], params, types)
            known.update((id(value), result) for value, result in zip(made, results))
        return [known.get(id(value), value.data) for value in graph.outputs]

    return run


# -- scan


def _scan_type(*kinds: ArrayType, body: Graph, constants: int, carry: int, length: int, reverse: bool) -> Any:
    first_x = constants + carry
    short = [kind for kind in kinds[first_x:] if kind.shape[:1] != (length,)]
    if short:
        raise ShapeError(f"scan of {length} steps: the first axis of its xs must be {length}, but one is {short[0]}")
    given = (*kinds[:first_x], *map(element_of, kinds[first_x:]))
    _require("scan: the inputs of its body", _input_types(body), given)
    _require("scan: the carry must keep its types", kinds[constants:first_x], _output_types(body)[:carry])
    ys = [kind.with_shape((length, *kind.shape)) for kind in _output_types(body)[carry:]]
    return _one_or_all((*kinds[constants:first_x], *ys))


def _scan(*arrays: NumpyArray, body: Graph, constants: int, carry: int, length: int, reverse: bool) -> Any:
    run, first_x = runner(body), constants + carry
    fixed, state, xs = arrays[:constants], list(arrays[constants:first_x]), arrays[first_x:]
    ys = [np.empty((length, *kind.shape), kind.dtype) for kind in _output_types(body)[carry:]]
    for step in reversed(range(length)) if reverse else range(length):
        results = run([*fixed, *state, *(x[step] for x in xs)])
        state = results[:carry]
        for y, result in zip(ys, results[carry:]):
            y[step] = result
    return _one_or_all((*state, *ys))


def scanned(
    body: Graph, inputs: Sequence[Value], constants: int, carry: int, length: int, reverse: bool
) -> tuple[Value, ...]:
    """Apply scan. Where gradients may be asked for later, the loop also gives what its pullback reads of each step."""
    tracked = tuple(value.tracked for value in inputs)
    wider = _with_residuals(body, constants, carry, tracked) if is_recording() and any(tracked) else None
    params = {"constants": constants, "carry": carry, "length": length, "reverse": reverse}
    outputs = every(bind(scan, *inputs, body=wider or body, **params))
    return outputs[: len(body.outputs)]


def _with_residuals(body: Graph, constants: int, carry: int, tracked: tuple[bool, ...]) -> Graph | None:
    given = tuple(kind.is_float for kind in _output_types(body)[carry:])
    try:
        return loop_pullback(body, constants, carry, tracked, given).forward
    except GradientError:
        return None  # it has no gradient: whoever asks for one is told so


def _scan_rule(
    wanted: tuple[bool, ...],
    cotangents: tuple[Value | None, ...],
    outputs: tuple[Value, ...],
    inputs: tuple[Value, ...],
    **params: Any,
) -> list[Value | None]:
    body, constants, carry, length = params["body"], params["constants"], params["carry"], params["length"]
    floats = tuple(value.type.is_float for value in inputs)
    asked = tuple(flag and is_float for flag, is_float in zip(wanted, floats))
    given = tuple(each is not None and each.type.is_float for each in cotangents[carry:])
    back = loop_pullback(body, constants, carry, asked, given)
    if back.forward is not None:  # the loop was made without residuals: it runs once more
        outputs = every(bind(scan, *inputs, **{**params, "body": back.forward}))
    arguments = _backward_inputs(back, cotangents, outputs, inputs, constants, carry)
    running = len(back.carries) + len(back.summed)
    found = scanned(back.body, arguments, len(back.constants), running, length, not params["reverse"])
    return _placed(back, found, len(inputs), constants, carry)


def _backward_inputs(
    back: LoopPullback,
    cotangents: tuple[Value | None, ...],
    outputs: tuple[Value, ...],
    inputs: tuple[Value, ...],
    constants: int,
    carry: int,
) -> list[Value]:
    def residual(source: Source) -> Value:
        place = source.position
        return inputs[constants + carry + place] if source.kind == "x" else outputs[carry + place]

    ends = [cotangents[place] or zeros_like(inputs[constants + place]) for place in back.carries]
    ys = [each for each in (cotangents[carry + place] for place in back.ys) if each is not None]
    return [
        *(inputs[place] for place in back.constants),
        *ends,
        *(zeros_like(inputs[place]) for place in back.summed),
        *ys,
        *map(residual, back.residuals),
    ]


def _placed(back: LoopPullback, found: Sequence[Value], count: int, constants: int, carry: int) -> list[Value | None]:
    result: list[Value | None] = [None] * count
    places = [*(constants + place for place in back.carries), *back.summed]
    places += [constants + carry + place for place in back.xs]
    for place, each in zip(places, found, strict=True):
        result[place] = each
    return result


scan = register(Primitive("scan", _scan_type, _scan, JointRule(_scan_rule), "scan({body}; {all})", samples.scan))


# -- cond


def _cond_type(predicate: ArrayType, *kinds: ArrayType, true_body: Graph, false_body: Graph) -> Any:
    if predicate != ArrayType((), bool_):
        raise ShapeError(f"cond: the predicate must be one bool, but is {predicate}; for arrays use cr.where")
    _require("cond: the inputs of its true function", _input_types(true_body), kinds)
    _require("cond: the inputs of its false function", _input_types(false_body), kinds)
    _require("cond: both functions must give the same types", _output_types(true_body), _output_types(false_body))
    return _one_or_all(_output_types(true_body))


def _cond(predicate: NumpyArray, *arrays: NumpyArray, true_body: Graph, false_body: Graph) -> Any:
    return _one_or_all(runner(true_body if predicate else false_body)(arrays))


def _cond_rule(
    wanted: tuple[bool, ...],
    cotangents: tuple[Value | None, ...],
    outputs: tuple[Value, ...],
    inputs: tuple[Value, ...],
    *,
    true_body: Graph,
    false_body: Graph,
) -> list[Value | None]:
    bodies = {"true_body": true_body, "false_body": false_body}
    return branches_rule(cond, bodies, wanted, cotangents, inputs, before=1)


cond = register(
    Primitive(
        "cond",
        _cond_type,
        _cond,
        JointRule(_cond_rule),
        "cond({all}; {true_body}, {false_body})",
        samples.cond,
    )
)


# -- while_loop


def _while_type(*kinds: ArrayType, condition: Graph, body: Graph, constants: int) -> Any:
    _require("while_loop: the inputs of its condition", _input_types(condition), kinds)
    _require("while_loop: the inputs of its body", _input_types(body), kinds)
    _require("while_loop: its condition must give one bool", (ArrayType((), bool_),), _output_types(condition))
    _require("while_loop: the carry must keep its types", kinds[constants:], _output_types(body))
    if len(kinds) == constants:
        raise GraphError("while_loop: it carries nothing, so it would never end")
    return _one_or_all(kinds[constants:])


def _while(*arrays: NumpyArray, condition: Graph, body: Graph, constants: int) -> Any:
    goes_on, step = runner(condition), runner(body)
    fixed, state = arrays[:constants], list(arrays[constants:])
    while goes_on([*fixed, *state])[0]:
        state = step([*fixed, *state])
    return _one_or_all(state)


while_loop = register(
    Primitive(
        "while_loop",
        _while_type,
        _while,
        NoGradient("how often its body runs is not known before, so nothing can be kept of each step; use scan"),
        "while_loop({condition}, {body}; {all})",
        samples.while_loop,
    )
)
