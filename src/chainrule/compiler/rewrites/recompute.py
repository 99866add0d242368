"""Parts that are computed again for the gradient, put in place. After the passes, which would merge the two runs."""

from __future__ import annotations

from ...ir.graph import Equation, Graph
from ...passes.opening import put_in_place


def open_checkpoints(graph: Graph) -> Graph:
    """`graph` with the bodies of checkpoints in their places, also in the bodies of loops and branches."""
    return put_in_place(graph, ("checkpoint",), _body)


def _body(equation: Equation) -> Graph:
    body: Graph = equation.params["body"]
    return body
