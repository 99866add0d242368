"""The checker: a graph that passes can be run by any executor."""

from __future__ import annotations

from ..errors import ChainruleError, GraphError
from .graph import Equation, Graph, Value
from .types import ArrayType
from .walk import bodies


def check_graph(graph: Graph, after: str = "trace", typed: dict[int, Equation] | None = None) -> Graph:
    """Return `graph` unchanged if it keeps every rule of the IR; else a GraphError names the rule and the pass.

    The rules: every value is assigned once and before it is read; what is not assigned is a constant with data;
    the types are those that the primitives' type rules give. typed: equations (by id) whose types were found right
    before, to which those of this graph are added: they never change, and most are the same after the next pass.
    """
    typed = {} if typed is None else typed
    known: set[int] = set()
    for value in graph.inputs:
        _check_new(value, known, "an input", after)
    for number, equation in enumerate(graph.equations):
        if not known.issuperset(map(id, equation.inputs)):
            _check_inputs(equation, known, _place(number, equation), after)
        if id(equation) not in typed:
            _check_types(equation, _place(number, equation), after)
            typed[id(equation)] = equation
        if equation.params:
            for body in bodies(equation):
                check_graph(body, f"{after}, in {body.name} of {_place(number, equation)}", typed)
        for value in equation.outputs:
            if id(value) in known or value.equation is not equation:
                _check_output(value, equation, known, _place(number, equation), after)
            known.add(id(value))
    for value in graph.outputs:
        _check_known(value, known, "the outputs", after)
    return graph


def _place(number: int, equation: Equation) -> str:
    return f"equation {number} ({equation.primitive.name})"


def _check_output(value: Value, equation: Equation, known: set[int], place: str, after: str) -> None:
    _check_new(value, known, place, after)
    if value.equation is not equation:
        raise _broken(after, f"an output of {place} names another equation as its origin")


def _check_new(value: Value, known: set[int], place: str, after: str) -> None:
    if id(value) in known:
        raise _broken(after, f"{place} assigns a value of type {value.type} that is already assigned")
    known.add(id(value))


def _check_inputs(equation: Equation, known: set[int], place: str, after: str) -> None:
    for value in equation.inputs:
        _check_known(value, known, place, after)


def _check_known(value: Value, known: set[int], place: str, after: str) -> None:
    if id(value) in known:
        return
    if value.data is None:
        raise _broken(after, f"{place} reads a value of type {value.type} that nothing assigned before")
    if value.data.shape != value.shape or value.data.dtype != value.dtype:
        raise _broken(
            after,
            f"{place} reads a constant said to be {value.type} that holds {value.data.dtype}{list(value.data.shape)}",
        )


def _check_types(equation: Equation, place: str, after: str) -> None:
    given = tuple(value.type for value in equation.inputs)
    try:
        answer = equation.primitive.type_rule(*given, **equation.params)
    except (ChainruleError, TypeError, IndexError) as error:  # the last two: wrong numbers of inputs, parameters
        raise _broken(after, f"{place} does not take its inputs: {error}") from error
    expected = (answer,) if isinstance(answer, ArrayType) else answer
    actual = tuple(value.type for value in equation.outputs)
    if expected != actual:
        wanted, found = ", ".join(map(str, expected)), ", ".join(map(str, actual))
        raise _broken(after, f"{place} should give {wanted} but is typed {found}")


def _broken(after: str, what: str) -> GraphError:
    return GraphError(f"after {after}: {what}")
