"""Trees: every kind of container, order, paths, and what does not fit."""

from __future__ import annotations

import collections
import dataclasses
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule import tree
from chainrule.errors import ChainruleError


class Pair(NamedTuple):
    """A named tuple."""

    left: Any
    right: Any


@dataclasses.dataclass(frozen=True)
class Layer:
    """A dataclass; `made` is not one of its arguments."""

    weight: Any
    bias: Any = None
    made: int = dataclasses.field(default=0, init=False)


class Registered:
    """A container that registers itself."""

    def __init__(self, *parts: Any) -> None:
        self.parts = parts


class Derived(Registered):
    """Its subclass is a container too."""


tree.register(
    Registered,
    lambda each: tree.Children(tuple(range(len(each.parts))), each.parts, lambda values: type(each)(*values)),
)

TREES: list[tuple[Any, list[int]]] = [
    (1, [1]),
    (None, []),
    ([], []),
    ({}, []),
    ({"b": 1, "a": [2, (3,)]}, [1, 2, 3]),
    ((1, None, [2]), [1, 2]),
    (Pair(1, Pair(2, 3)), [1, 2, 3]),
    (Layer(1, [2, 3]), [1, 2, 3]),
    (collections.OrderedDict(b=1, a=2), [1, 2]),
    (collections.defaultdict(list, {"x": 1, "y": 2}), [1, 2]),
    (collections.Counter({"x": 3, "y": 1}), [3, 1]),
    (Registered(1, [2]), [1, 2]),
    (Derived(4), [4]),
]


def test_what_is_set_later_is_kept() -> None:
    layer = Layer(1, 2)
    object.__setattr__(layer, "made", 7)
    new = tree.map(lambda leaf: -leaf, layer)
    assert (new.weight, new.bias, new.made) == (-1, -2, 7)


@pytest.mark.parametrize(("example", "leaves"), TREES, ids=lambda each: type(each).__name__)
def test_flatten_and_build_anew(example: Any, leaves: list[int]) -> None:
    found, structure = tree.flatten(example)
    assert found == leaves == [leaf for _, leaf in tree.flatten_with_paths(example)]
    assert structure.leaf_count == len(leaves)
    new = tree.unflatten(structure, [10 * leaf for leaf in leaves])
    assert type(new) is type(example) and tree.leaves(new) == [10 * leaf for leaf in leaves]
    assert tree.structure(new) == structure
    assert tree.leaves(example) == leaves


def test_a_default_dict_keeps_its_factory() -> None:
    new = tree.map(lambda x: x + 1, collections.defaultdict(list, {"x": 1}))
    assert new["missing"] == [] and new["x"] == 2


def test_map_over_several_trees() -> None:
    result = tree.map(lambda x, y, z: x + y + z, {"a": (1, 2)}, {"a": (10, 20)}, {"a": (100, 200)})
    assert result == {"a": (111, 222)}


def test_paths() -> None:
    paths = tree.flatten_with_paths({"layers": [Layer(1, 2)], "pair": Pair(3, None)})
    assert [(tree.path_text(path), leaf) for path, leaf in paths] == [
        ("layers.0.weight", 1),
        ("layers.0.bias", 2),
        ("pair.left", 3),
    ]


def test_dicts_may_list_their_keys_in_another_order() -> None:
    shape = tree.structure({"a": 0, "b": [0, 0]})
    assert tree.flatten_like(shape, {"b": [2, 3], "a": 1}) == [1, 2, 3]
    assert tree.map(lambda x, y: (x, y), {"a": 1, "b": 2}, {"b": 20, "a": 10}) == {"a": (1, 10), "b": (2, 20)}


@pytest.mark.parametrize(
    "other", [{"a": 1}, {"a": 1, "c": [2, 3]}, {"a": 1, "b": [2]}, {"a": 1, "b": (2, 3)}, [1, 2, 3], 1]
)
def test_trees_of_another_structure_do_not_fit(other: Any) -> None:
    shape = tree.structure({"a": 0, "b": [0, 0]})
    with pytest.raises(ChainruleError, match=r"expected dict\(a: \*, b: list\(0: \*, 1: \*\)\)"):
        tree.flatten_like(shape, other)


def test_the_number_of_leaves_must_fit() -> None:
    with pytest.raises(ChainruleError, match="holds 2 leaves, but 1"):
        tree.unflatten(tree.structure([0, 0]), [1])


def test_strings_and_types_are_leaves() -> None:
    assert tree.leaves(["text", Layer, b"bytes"]) == ["text", Layer, b"bytes"]


def test_deep_trees() -> None:
    nested: Any = 1
    for _ in range(200):
        nested = [nested]
    assert tree.leaves(tree.map(lambda x: x + 1, nested)) == [2]


nested = st.recursive(
    st.integers() | st.none(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


@settings(max_examples=50, derandomize=True, deadline=None, database=None)
@given(nested)
def test_any_tree_is_built_anew(example: Any) -> None:
    leaves, shape = tree.flatten(example)
    assert tree.unflatten(shape, leaves) == example
    assert tree.structure(tree.map(lambda leaf: [leaf], example)) != shape or not leaves
