"""What is opened before a graph is compiled: see `opening`."""

from __future__ import annotations

from ..errors import DtypeError
from ..ir.graph import Graph
from . import open_decompositions, open_systems
from .opening import Opening, open_primitives

LINEAR_ALGEBRA: dict[str, Opening] = {
    "solve": open_systems.solve,
    "cholesky": open_systems.cholesky,
    "det": open_systems.det,
    "cofactors": open_decompositions.cofactors,
    "slogdet": open_systems.slogdet,
    "qr": open_decompositions.qr,
    "eigh": open_decompositions.eigh,
    "svd": open_decompositions.svd,
}


def opened(graph: Graph) -> Graph:
    """`graph` without primitives that have no kernel."""
    values = (*graph.inputs, *(value for equation in graph.equations for value in equation.outputs))
    if any(value.type.is_complex for value in values):
        raise DtypeError("programs of complex numbers are not compiled yet: take cr.compile away")
    return open_primitives(graph, LINEAR_ALGEBRA)
