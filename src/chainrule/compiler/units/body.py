"""The body of a loop or a branch, lowered in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...ir.graph import Graph
from ..planning.place import Place
from ..planning.program import Instruction

if TYPE_CHECKING:
    from ..planning.lowering import Lowering


def lower_body(
    lowering: Lowering,
    graph: Graph,
    given: Sequence[Place],
    wanted: Sequence[Place],
    carried: dict[int, int],
    loops: int,
    changing: Sequence[Place] = (),
) -> list[Instruction]:
    """The instructions of a body. carried: output -> the input whose memory it takes over.

    changing: places that others write between its rounds.
    """
    from ..planning.lowering import Lowering
    from .schedule import lower_graph

    inner = Lowering(graph, lowering.module, lowering.target, lowering)
    inner.depth = lowering.depth + loops
    taken_over = [given[number] for number in carried.values()]
    inner.local = {place.buffer.number for place in (*wanted, *taken_over, *changing)}
    lower_graph(inner, given, wanted, carried)
    return inner.instructions
