"""The minimum cut against trying every set of nodes, on random small graphs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from chainrule.compiler.planning.minimum_cut import minimum_cut


def separates(nodes: set[int], inputs: dict[int, list[int]], ends: list[int]) -> bool:
    """Whether no way leads from a beginning to an end without one of the nodes."""
    waiting, seen = [end for end in ends if end not in nodes], set[int]()
    while waiting:
        node = waiting.pop()
        if node not in inputs:
            return False
        if node not in seen:
            seen.add(node)
            waiting += [other for other in inputs[node] if other not in nodes]
    return True


@pytest.mark.parametrize("seed", range(40))
def test_no_cheaper_set_separates(seed: int) -> None:
    random = np.random.default_rng(seed)
    count = int(random.integers(3, 10))
    costs = {node: int(random.integers(0, 6)) for node in range(count)}
    beginnings = int(random.integers(1, count))
    inputs = {
        node: sorted({int(each) for each in random.integers(0, node, int(random.integers(1, 4)))})
        for node in range(beginnings, count)
    }
    ends = sorted({int(each) for each in random.integers(0, count, 3)})
    found = minimum_cut(costs, inputs, ends)
    assert separates(found, inputs, ends)
    every = itertools.chain.from_iterable(itertools.combinations(range(count), size) for size in range(count + 1))
    cheapest = min(sum(costs[node] for node in some) for some in every if separates(set(some), inputs, ends))
    assert sum(costs[node] for node in found) == cheapest


def test_of_equal_cuts_the_one_nearest_to_the_ends_is_taken() -> None:
    assert minimum_cut({0: 4, 1: 4, 2: 4}, {1: [0], 2: [1]}, [2]) == {2}
    assert minimum_cut({0: 4, 1: 4, 2: 4, 3: 4}, {1: [0], 2: [1], 3: [1]}, [2, 3]) == {1}


def test_what_follows_from_nothing_needs_no_cut() -> None:
    assert minimum_cut({0: 3}, {0: []}, [0]) == set()
