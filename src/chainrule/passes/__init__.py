"""Passes: Graph -> Graph, one file one pass. PIPELINE is what runs before a graph is compiled.

Each keeps the meaning of the graph to the bit; only the payload of a NaN may change.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from ..ir.check import check_graph
from ..ir.graph import Equation, Graph
from .delay_broadcasts import delay_broadcasts
from .fold_constants import fold_constants
from .in_bodies import in_bodies
from .merge_equal import merge_equal
from .narrow_loops import narrow_loops
from .remove_unused import remove_unused
from .simplify_arithmetic import simplify_arithmetic
from .simplify_structure import simplify_structure

__all__ = [
    "PIPELINE",
    "delay_broadcasts",
    "fold_constants",
    "merge_equal",
    "narrow_loops",
    "remove_unused",
    "run_passes",
    "simplify_arithmetic",
    "simplify_bodies",
    "simplify_structure",
]


def simplify_bodies(graph: Graph) -> Graph:
    """`graph` with its bodies, in which the whole pipeline is applied, by themselves."""
    return in_bodies(graph, run_passes)


Pass = Callable[[Graph], Graph]

PIPELINE: tuple[Pass, ...] = (
    remove_unused,
    narrow_loops,
    simplify_bodies,
    fold_constants,
    simplify_arithmetic,
    simplify_structure,
    delay_broadcasts,
    merge_equal,
)
"""In this order, over and over until nothing changes."""
ROUNDS = 10
"""After so many rounds it ends anyway: what is left is correct, and next to nothing is left to do."""


def run_passes(graph: Graph, show: Callable[[str], object] | None = None) -> Graph:
    """The pipeline applied to `graph`; a GraphError names the pass that breaks a rule of the IR.

    show: called with the text of the graph at the start and after each pass that changed it; `print` for example.
    """
    if show is None:
        with suppress(Exception):
            return check_graph(_applied(graph, lambda changed, _: changed), "all passes")
    typed: dict[int, Equation] = {}  # it is shown, or went wrong: now each pass is checked by itself

    def checked(changed: Graph, name: str) -> Graph:
        changed = check_graph(changed, name, typed)
        if show is not None:
            show(_stage(changed, name))
        return changed

    if show is not None:
        show(_stage(graph, "trace"))
    return _applied(graph, checked)


def _applied(graph: Graph, after: Callable[[Graph, str], Graph]) -> Graph:
    """The pipeline, again and again; `after` is given each graph that a pass changed."""
    quiet = 0  # passes in a row that found nothing to do
    for each in PIPELINE * ROUNDS:
        changed = each(graph)
        quiet = quiet + 1 if changed is graph else 0
        if quiet == len(PIPELINE):
            break
        if changed is not graph:
            graph = after(changed, each.__name__)
    return graph


def _stage(graph: Graph, name: str) -> str:
    return f"# {len(graph.equations)} equations after {name}\n{graph}"
