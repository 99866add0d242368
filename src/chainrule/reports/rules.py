"""Derivative rules as people read them: a primitive's rule traced on symbols, and printed."""

from __future__ import annotations

from typing import Any

from ..errors import ChainruleError
from ..ir.build import Trace, placeholder, tracing
from ..ir.graph import Equation
from ..ir.primitive import JointRule, NoGradient, every
from ..ir.show import formula
from ..ir.walk import bodies

LONGEST = 300
LETTERS = "abcdefghijklmnop"


def derivative_rule(equation: Equation) -> str:
    """`da = g @ b^T; db = a^T @ g`: what carries the cotangent g of the result y to the inputs a, b, ..."""
    primitive = equation.primitive
    if isinstance(primitive.derivative, NoGradient):
        return f"none: {primitive.derivative.reason}"
    if isinstance(primitive.derivative, JointRule) or bodies(equation):
        return "the loop or branch run backwards, with the derivatives of what is inside"
    try:
        return "; ".join(_rules(equation)) or "none of its inputs carries a gradient"
    except (ChainruleError, ArithmeticError, ValueError):  # a user's own rule may need real numbers
        return "a rule that only real numbers can show"


def _rules(equation: Equation) -> list[str]:
    found = []
    inputs = [placeholder(value.type) for value in equation.inputs]
    count = len(inputs)
    with tracing(Trace()):
        answer: Any = equation.primitive(*inputs, **equation.params)
        outputs = every(answer)
        cotangents = tuple(placeholder(output.type) for output in outputs)
        names = {id(value): LETTERS[min(place, len(LETTERS) - 1)] for place, value in enumerate(inputs)}
        names |= {id(value): "y" for value in outputs} | {id(value): "g" for value in cotangents}
        given: Any = (cotangents, outputs) if isinstance(answer, tuple) else (cotangents[0], answer)
        for position, value in enumerate(inputs[:3]):
            rule = equation.primitive.rule_for(position, count)
            if rule is not None and value.type.is_float:
                made = rule(*given, *inputs, **equation.params)
                text = "0" if made is None else formula(made, names)
                found.append(f"d{names[id(value)]} = {text if len(text) <= LONGEST else text[:LONGEST] + ' ...'}")
    return [*found, "..."] if count > 3 and found else found
