"""The text form of a graph, with names that depend only on the graph's structure."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..names import name_of
from .graph import Equation, Graph, Value
from .walk import bodies, constants


def show_graph(graph: Graph, sources: bool = True) -> str:
    """One line an equation: `%3: float32[64, 10] = matmul(%1, w0)  # train.py:12`; bodies of loops below theirs."""
    names = value_names(graph)
    inputs = ", ".join(f"{names[id(value)]}: {value.type}" for value in graph.inputs)
    lines = [f"{graph.name}({inputs}):"]
    lines += [f"  {names[id(value)]}: {value.type} = constant" for value in constants(graph) if not is_splat(value)]
    for equation in graph.equations:
        lines.append(_show_equation(equation, names, sources))
        lines += [f"    {line}" for body in bodies(equation) for line in show_graph(body, sources).splitlines()]
    lines.append(f"  return {', '.join(names[id(value)] for value in graph.outputs)}")
    return "\n".join(lines)


Graph.__str__ = show_graph


def value_names(graph: Graph) -> dict[int, str]:
    """A name for each value by id: %n for inputs and results, cn for constants, the number itself for splats."""
    arrays = [value for value in constants(graph) if not is_splat(value)]
    names = {id(value): splat_text(value) for value in constants(graph) if is_splat(value)}
    names.update((id(value), f"c{number}") for number, value in enumerate(arrays))
    made = [*graph.inputs, *(value for equation in graph.equations for value in equation.outputs)]
    names.update((id(value), f"%{number}") for number, value in enumerate(made))
    return names


def is_splat(value: Value) -> bool:
    """Whether all elements of a constant are one number in memory."""
    return value.data is not None and value.size > 0 and (value.size == 1 or not any(value.data.strides))


def splat_text(value: Value) -> str:
    """The number of a splat, with its shape where it has one."""
    return _number_text(value) + (str(list(value.shape)) if value.shape else "")


def _number_text(value: Value) -> str:
    """The shortest text that means the number in its own element type: 0.1 and not 0.10000000149011612."""
    return "" if value.data is None else str(value.data[(0,) * value.ndim])


def _show_equation(equation: Equation, names: dict[int, str], sources: bool) -> str:
    left = ", ".join(f"{names[id(value)]}: {value.type}" for value in equation.outputs)
    arguments = [names[id(value)] for value in equation.inputs]
    arguments += [f"{name}={show_parameter(parameter)}" for name, parameter in equation.params.items()]
    place = f"  # {equation.source}" if sources and equation.source else ""
    return f"  {left} = {equation.primitive.name}({', '.join(arguments)}){place}"


def show_parameter(parameter: Any) -> str:
    """A parameter without anything that changes from run to run (no addresses)."""
    if isinstance(parameter, np.dtype):
        return str(parameter.name)
    if isinstance(parameter, Graph):
        return parameter.name
    if callable(parameter):
        return name_of(parameter)
    return repr(parameter)


def formula(value: Value, names: dict[int, str]) -> str:
    """The expression that computes `value`, in the formulas of its primitives, down to the values in `names`."""
    if id(value) in names:
        return names[id(value)]
    if value.equation is None:
        return _number_text(value).removesuffix(".0") if is_splat(value) else "constant"
    equation = value.equation
    arguments = [formula(each, names) for each in equation.inputs]
    shown = {name: show_parameter(parameter) for name, parameter in equation.params.items()}
    return equation.primitive.formula.format(*arguments, all=", ".join(arguments), **shown)
