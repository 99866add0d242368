"""The computation graph of a network with its loss, forward and backward, as data: folded by module."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ArrayStatistics:
    """What an array looks like: float64 figures of its finite elements; None where there are none."""

    smallest: float | None
    largest: float | None
    mean: float | None
    deviation: float | None
    zero_share: float
    not_finite: int


@dataclass(frozen=True)
class GraphNode:
    """One value of the graph.

    number: its place in `GraphView.nodes`; inputs: numbers of the nodes it is computed from.
    name: as in the graph's text form (`%12`). label: the name of a parameter or argument (`0.weight`, "inputs",
        "targets"), "loss" and "outputs" for these, else "".
    role: "input", "parameter", "buffer", "constant", "forward" or "backward" (the last two are equations).
    primitive: the operation ("" for what nothing computes). formula: its meaning with the names of its inputs.
    derivative: how dE/d each input follows from dE/d this, one line an input that has one, as text.
    module: path of the innermost module it was computed in, "" outside all; a parameter belongs to its own module.
    shape, dtype: of the value. source: `file.py:12` of the user's own line, source_text: that line.
    derivative_of: for role "backward", the number of the forward node whose derivative it belongs to, else None.
    values, gradients: statistics of the value and of dE/d value, where the graph was run on an example batch.
    """

    number: int
    name: str
    label: str
    role: str
    primitive: str
    formula: str
    derivative: tuple[str, ...]
    module: str
    shape: tuple[int, ...]
    dtype: str
    source: str
    source_text: str
    inputs: tuple[int, ...]
    derivative_of: int | None = None
    values: ArrayStatistics | None = None
    gradients: ArrayStatistics | None = None


@dataclass(frozen=True)
class GraphModule:
    """A module as a fold of the graph: path (`encoder.0`), class, path of the module around it, parameter count."""

    path: str
    kind: str
    parent: str | None
    parameters: int


@dataclass(frozen=True)
class GraphView:
    """nodes: in an order in which they can be computed. modules: outer before inner; the network itself is "".

    loss: number of the node that is the loss. outputs: numbers of the nodes that are the network's outputs.
    """

    nodes: tuple[GraphNode, ...]
    modules: tuple[GraphModule, ...]
    loss: int
    outputs: tuple[int, ...]
