"""Remove the equations that no output depends on."""

from __future__ import annotations

from ..ir.graph import Equation, Graph


def remove_unused(graph: Graph) -> Graph:
    """`graph` without the equations whose results nothing reads; every primitive is a function of its inputs alone."""
    wanted = {id(value) for value in graph.outputs}
    kept: list[Equation] = []
    for equation in reversed(graph.equations):
        if not wanted.isdisjoint(map(id, equation.outputs)):
            kept.append(equation)
            wanted.update(map(id, equation.inputs))
    if len(kept) == len(graph.equations):
        return graph
    return Graph(graph.inputs, tuple(kept[::-1]), graph.outputs, graph.name)
