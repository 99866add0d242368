"""The cheapest set of nodes of a small directed graph that every way into its ends passes through.

The maximum flow by shortest augmenting paths (Edmonds and Karp, Journal of the ACM 19, 1972), each node split into an
entry and an exit with its cost as capacity. Of several cheapest sets the one nearest to the ends is given.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Mapping, Sequence

Node = tuple[int, bool]  # a node's entry (False) or exit (True)
START, END = (-1, False), (-2, False)


def minimum_cut(costs: Mapping[int, int], inputs: Mapping[int, Sequence[int]], ends: Sequence[int]) -> set[int]:
    """The nodes to pay for. inputs: what each node follows from; a node that is not in it is a beginning."""
    room = _network(costs, inputs, ends)
    while (path := _path(room)) is not None:
        amount = min(room[one][other] for one, other in itertools.pairwise(path))
        for one, other in itertools.pairwise(path):
            room[one][other] -= amount
            room[other][one] = room[other].get(one, 0) + amount
    reached = _leads_to_end(room)
    return {node for node in costs if (node, True) in reached and (node, False) not in reached}


def _network(
    costs: Mapping[int, int], inputs: Mapping[int, Sequence[int]], ends: Sequence[int]
) -> dict[Node, dict[Node, float]]:
    """How much may flow from each node to its neighbours."""
    room: dict[Node, dict[Node, float]] = {START: {}, END: {}}
    for node, cost in costs.items():
        room[node, False], room[node, True] = {(node, True): cost}, {}
    for node in costs:
        before = inputs.get(node)
        if before is None:
            room[START][node, False] = math.inf
        for other in before or ():
            room[other, True][node, False] = math.inf
    for node in ends:
        room[node, True][END] = math.inf
    return room


def _path(room: Mapping[Node, Mapping[Node, float]]) -> list[Node] | None:
    """A shortest way from start to end with room left, or None."""
    came: dict[Node, Node] = {START: START}
    waiting = deque([START])
    while waiting:
        here = waiting.popleft()
        if here == END:
            path = [here]
            while here != START:
                here = came[here]
                path.append(here)
            return path[::-1]
        for following, left in room[here].items():
            if left > 0 and following not in came:
                came[following] = here
                waiting.append(following)
    return None


def _leads_to_end(room: Mapping[Node, Mapping[Node, float]]) -> set[Node]:
    """Every node from which there is room left on some way to the end."""
    backwards: dict[Node, list[Node]] = {}
    for here, following in room.items():
        for there, left in following.items():
            if left > 0:
                backwards.setdefault(there, []).append(here)
    found, waiting = {END}, [END]
    while waiting:
        for before in backwards.get(waiting.pop(), ()):
            if before not in found:
                found.add(before)
                waiting.append(before)
    return found
