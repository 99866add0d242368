"""Reading a graph: its constants, who uses what, what is needed, one graph written into another trace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .build import bind
from .graph import Equation, Graph, Value
from .primitive import every


def constants(graph: Graph) -> list[Value]:
    """The known values that equations or outputs of `graph` read, each once, in the order of first use."""
    made = {id(value) for value in graph.inputs} | {id(out) for eq in graph.equations for out in eq.outputs}
    found: dict[int, Value] = {}
    for value in [*(value for eq in graph.equations for value in eq.inputs), *graph.outputs]:
        if id(value) not in made:
            found.setdefault(id(value), value)
    return list(found.values())


def bodies(equation: Equation) -> list[Graph]:
    """The graphs among the parameters of an equation: what a loop repeats, what a branch chooses from."""
    return [each for each in equation.params.values() if isinstance(each, Graph)]


def users(graph: Graph) -> dict[int, list[Equation]]:
    """For each value (by id) the equations that read it."""
    found: dict[int, list[Equation]] = {}
    for equation in graph.equations:
        for value in equation.inputs:
            found.setdefault(id(value), []).append(equation)
    return found


def ancestors(outputs: Iterable[Value]) -> list[Equation]:
    """Every equation that `outputs` depend on, in an order in which they can run."""
    found: dict[int, Equation] = {}
    waiting = [value.equation for value in outputs if value.equation is not None]
    while waiting:
        equation = waiting.pop()
        if id(equation) in found:
            continue
        found[id(equation)] = equation
        waiting.extend(value.equation for value in equation.inputs if value.equation is not None)
    return sorted(found.values(), key=lambda equation: equation.order)


def inline(graph: Graph, inputs: Sequence[Value]) -> tuple[Value, ...]:
    """Apply `graph` to `inputs`: its equations are bound again, in the current context."""
    known: dict[int, Value] = {id(old): new for old, new in zip(graph.inputs, inputs)}
    rebind(graph.equations, known)
    return tuple(known.get(id(value), value) for value in graph.outputs)


def rebind(equations: Iterable[Equation], known: dict[int, Value]) -> None:
    """Bind equations again, in the current context. known: by its id what stands for a value; it learns the results."""
    for equation in equations:
        arguments = [known.get(id(value), value) for value in equation.inputs]
        results = every(bind(equation.primitive, *arguments, **equation.params))
        known.update((id(old), new) for old, new in zip(equation.outputs, results))
