"""Reverse mode: walk the equations backwards from the outputs, append for each the equations of its derivative.

The derivatives are written in the engine's own operations, so what is appended can be differentiated again: any order.
In a trace the appended equations join the graph; outside one they are computed as they are appended.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .errors import GradientError, NoGradientError, ShapeError
from .ir.build import adopted, current_trace, deriving, splat, zeros_like
from .ir.graph import Equation, Value
from .ir.operand import MEANING
from .ir.primitive import JointRule, NoGradient
from .ir.walk import ancestors

Key = tuple[int, int]
"""Names a value by what made it: (equation, output index), or (the value itself, -1) for an input or constant."""


def _key(value: Value) -> Key:
    return (id(value), -1) if value.equation is None else (id(value.equation), value.index)


def gradients(
    outputs: Sequence[Value], wrt: Sequence[Value], cotangents: Sequence[Value | None] | None = None
) -> list[Value | None]:
    """Cotangents of the values `wrt`, given those of `outputs`; None where no path leads from one to the other.

    cotangents: one for each output, of its type; ones by default, which needs outputs of a single element.
    """
    outputs, wrt = list(map(adopted, outputs)), list(map(adopted, wrt))
    for value in wrt:
        _require_float(value)
    carriers = {_key(value) for value in wrt}
    needed = _equations_between(outputs, carriers)
    totals: dict[Key, Value] = {}
    for output, cotangent in zip(outputs, _seeds(outputs, cotangents)):
        if cotangent is not None and output.tracked and _key(output) in carriers:
            _accumulate(totals, _key(output), cotangent)
    wanted = {_key(value) for value in wrt}
    for equation in reversed(needed):
        for value, contribution in _contributions(equation, totals, carriers, wanted):
            _accumulate(totals, _key(value), contribution)
    found = [totals.get(_key(value)) for value in wrt]
    _tell_trace(wrt, found)
    return found


def _tell_trace(values: Sequence[Value], cotangents: Sequence[Value | None]) -> None:
    """A trace that someone reads may want to know which value is whose cotangent."""
    trace = current_trace()
    if trace is not None:
        trace.found_cotangents(values, cotangents)


def _require_float(value: Value) -> None:
    if not value.type.is_float:
        raise GradientError(
            f"gradients are taken with respect to floats, but was asked for {value.type}; cast it with astype"
        )


def _equations_between(outputs: Sequence[Value], carriers: set[Key]) -> list[Equation]:
    """The equations on a path from a carrier to an output; what they compute joins the carriers."""
    between = []
    for equation in ancestors(outputs):
        if isinstance(equation.primitive.derivative, NoGradient):
            continue
        if any(value.tracked and _key(value) in carriers for value in equation.inputs):
            between.append(equation)
            carriers.update((id(equation), index) for index in range(equation.output_count))
    return between


def _seeds(outputs: Sequence[Value], cotangents: Sequence[Value | None] | None) -> list[Value | None]:
    if cotangents is not None:
        return [_checked_seed(output, seed) for output, seed in zip(outputs, cotangents, strict=True)]
    for output in outputs:
        if output.type.is_complex:
            raise GradientError(
                f"a gradient starts from a real number, but this output is {output.type}; take cr.real, cr.imag or "
                "cr.abs of it, or give its cotangent"
            )
        if output.size != 1:
            raise GradientError(
                f"a gradient starts from a single number, but this output is {output.type}; "
                "reduce it (sum, mean) or give its cotangent"
            )
    return [splat(1, output.type) if output.type.is_float else None for output in outputs]


def _checked_seed(output: Value, seed: Value | None) -> Value | None:
    if seed is not None and seed.type != output.type:
        raise ShapeError(f"the cotangent of an output of type {output.type} must have that type, but is {seed.type}")
    return seed


def _accumulate(totals: dict[Key, Value], key: Key, contribution: Value) -> None:
    before = totals.get(key)
    totals[key] = contribution if before is None else MEANING["add"](before, contribution)


def _contributions(
    equation: Equation, totals: dict[Key, Value], carriers: set[Key], wanted: set[Key]
) -> Iterator[tuple[Value, Value]]:
    keys = [(id(equation), index) for index in range(equation.output_count)]
    given = [totals.get(key) if key in wanted else totals.pop(key, None) for key in keys]
    if all(cotangent is None for cotangent in given):
        return
    _tell_trace(equation.outputs, given)
    asked = tuple([value.tracked and _key(value) in carriers for value in equation.inputs])
    for position, contribution in _by_position(equation, given, asked):
        if contribution is not None:
            yield equation.inputs[position], _checked(equation, position, contribution)


def _by_position(
    equation: Equation, given: list[Value | None], asked: tuple[bool, ...]
) -> Iterator[tuple[int, Value | None]]:
    derivative = equation.primitive.derivative
    if isinstance(derivative, JointRule):
        with deriving(equation):
            found = derivative.function(asked, tuple(given), equation.outputs, equation.inputs, **equation.params)
        yield from ((position, each) for position, each in enumerate(found) if asked[position])
        return
    cotangent, output = _single_or_tuples(equation, given)
    for position in range(len(equation.inputs)):
        rule = equation.primitive.rule_for(position, len(equation.inputs)) if asked[position] else None
        if rule is not None:
            with deriving(equation):
                contribution = rule(cotangent, output, *equation.inputs, **equation.params)
            yield position, contribution


def _single_or_tuples(equation: Equation, given: list[Value | None]) -> tuple[Any, Any]:
    outputs = equation.outputs
    filled = tuple(zeros_like(output) if cotangent is None else cotangent for output, cotangent in zip(outputs, given))
    return (filled[0], outputs[0]) if len(outputs) == 1 else (filled, outputs)


def _checked(equation: Equation, position: int, contribution: Value) -> Value:
    expected = equation.inputs[position].type
    if contribution.type != expected:
        raise GradientError(
            f"the derivative of {equation.primitive.name} for its input {position} gave {contribution.type}, "
            f"but the input is {expected} (line {equation.source}): a cotangent has the type of its value"
        )
    return contribution


NOTHING_REQUIRES = (
    "backward() was called on a tensor that does not depend on anything that requires a gradient: "
    "set requires_grad=True on what you differentiate, and compute it outside no_grad()"
)


def leaf_gradients(output: Value, cotangent: Value | None = None) -> list[tuple[Value, Value]]:
    """Every value that requires a gradient and that nothing computed, with its cotangent."""
    if not output.tracked:
        raise NoGradientError(NOTHING_REQUIRES)
    leaves: dict[int, Value] = {id(output): output} if output.is_leaf else {}
    for equation in ancestors([output]):
        leaves.update((id(value), value) for value in equation.inputs if value.is_leaf and value.tracked)
    found = list(leaves.values())
    totals = gradients([output], found, None if cotangent is None else [cotangent])
    return [(leaf, total) for leaf, total in zip(found, totals) if total is not None]
