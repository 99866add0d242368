"""What is opened before a graph is compiled: see `opening`."""

from __future__ import annotations

from ..ir.graph import Graph
from . import open_decompositions, open_fourier, open_softmax, open_systems
from .open_complex import open_complex
from .opening import Opening, open_primitives

OPENINGS: dict[str, Opening] = {
    "solve": open_systems.solve,
    "cholesky": open_systems.cholesky,
    "det": open_systems.det,
    "cofactors": open_decompositions.cofactors,
    "slogdet": open_systems.slogdet,
    "qr": open_decompositions.qr,
    "eigh": open_decompositions.eigh,
    "svd": open_decompositions.svd,
    "fft": open_fourier.fft,
    "softmax": open_softmax.softmax,
}


def opened(graph: Graph) -> Graph:
    """`graph` without primitives and element types that have no kernel."""
    return open_complex(open_primitives(graph, OPENINGS))
