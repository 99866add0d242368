"""One node of a computation graph, and how an equation is told to people."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir.graph import Equation
from ..ir.show import show_parameter
from ..ir.walk import bodies
from ..source import SourceLine
from .statistics import Statistics

INPUT, PARAMETER = "input", "parameter"


@dataclass(frozen=True)
class Node:
    """One value that goes in, or one equation.

    kind: "input", "parameter", or the primitive's name. phase: forward, backward or update. scope: modules and
    functions around it. formula: what it computes, with {0}, {1} for its inputs, whose texts are `arguments` and whose
    nodes, where they are not constants, are `inputs`. rule: how a cotangent g passes it. derives: the node whose
    derivative it is a part of. value, gradient: what its elements are like, and the derivatives of the loss by them.
    """

    name: str
    kind: str
    phase: str
    scope: tuple[str, ...]
    type: str
    formula: str
    arguments: tuple[str, ...]
    inputs: tuple[int, ...]
    rule: str
    source: str
    derives: int | None
    value: Statistics | None
    gradient: Statistics | None


def line_text(source: SourceLine | None) -> str:
    """The user's line; nothing where the program is the command line."""
    return "" if source is None else str(source)


def formula_text(equation: Equation) -> str:
    """The primitive's formula with its parameters filled in, and {0}, {1} left for its inputs."""
    shown = {name: show_parameter(each) for name, each in equation.params.items()}
    places = [f"{{{place}}}" for place in range(len(equation.inputs))]
    text = equation.primitive.formula.format(*places, all=", ".join(places), **shown)
    inside = sum(len(body.equations) for body in bodies(equation))
    return f"{text} (its body: {inside} equations)" if inside else text
