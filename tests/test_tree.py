"""Trees: flattening and building anew are inverse, for every kind of container."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict, defaultdict
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule import tree
from chainrule.errors import ChainruleError


class Point(NamedTuple):
    x: Any
    y: Any


@dataclasses.dataclass
class Options:
    rate: Any
    names: Any = dataclasses.field(default=(), metadata={"note": "kept"})
    made: Any = dataclasses.field(init=False, default=7)


@dataclasses.dataclass(frozen=True)
class Frozen:
    inside: Any


class Box:
    def __init__(self, content: Any) -> None:
        self.content = content


tree.register(Box, lambda box: tree.Children(("content",), (box.content,), lambda new: Box(new[0])))

TREES: list[tuple[Any, list[Any]]] = [
    (1, [1]),
    (None, []),
    ([], []),
    ({}, []),
    ((1, [2, (3,)]), [1, 2, 3]),
    ({"b": 1, "a": {"c": [2]}}, [1, 2]),
    (OrderedDict(b=1, a=2), [1, 2]),
    (defaultdict(list, a=1), [1]),
    (Point(1, [2, None]), [1, 2]),
    (Options(0.1, ("x", "y")), [0.1, "x", "y"]),
    (Frozen({"w": 1}), [1]),
    ([None, 1, None], [1]),
    ("text", ["text"]),
]


@pytest.mark.parametrize(("example", "leaves"), TREES, ids=str)
def test_flatten_and_unflatten(example: Any, leaves: list[Any]) -> None:
    found, shape = tree.flatten(example)
    assert found == leaves == tree.leaves(example)
    assert shape.leaf_count == len(leaves) == len(tree.flatten_with_paths(example))
    again = tree.unflatten(shape, found)
    assert again == example and type(again) is type(example)


nested = st.recursive(
    st.integers() | st.none(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


@settings(max_examples=50, derandomize=True, deadline=None)
@given(nested)
def test_any_tree_is_built_anew(example: Any) -> None:
    leaves, shape = tree.flatten(example)
    assert tree.unflatten(shape, leaves) == example
    assert tree.structure(tree.map(lambda leaf: [leaf], example)) != shape or not leaves
    assert tree.map(lambda leaf: leaf, example) == example


def test_paths() -> None:
    paths = tree.flatten_with_paths({"layers": [Point(1, 2)], "rest": Options(3)})
    assert [(tree.path_text(path), leaf) for path, leaf in paths] == [
        ("layers.0.x", 1),
        ("layers.0.y", 2),
        ("rest.rate", 3),
    ]
    assert tree.path_text(()) == ""


def test_map_keeps_kinds_and_what_is_not_mapped() -> None:
    mapped = tree.map(lambda leaf: leaf + 1, defaultdict(list, a=1))
    assert mapped == {"a": 2} and mapped["missing"] == []
    assert tree.map(lambda leaf: leaf + 1, Frozen(1)) == Frozen(2)
    options = tree.map(lambda leaf: leaf * 2, Options(1, [2]))
    assert (options.rate, options.names, options.made) == (2, [4], 7)


def test_map_over_several_trees_goes_by_keys_not_by_order() -> None:
    added = tree.map(lambda x, y, z: x + y + z, {"a": 1, "b": [2]}, {"b": [20], "a": 10}, {"a": 100, "b": [200]})
    assert added == {"a": 111, "b": [222]} and list(added) == ["a", "b"]


@pytest.mark.parametrize("other", [[1, 2, 3], (1, 2), [1, [2]], {"a": 1}, 1, None, [1, None]], ids=str)
def test_trees_that_do_not_fit_say_how(other: Any) -> None:
    with pytest.raises(ChainruleError, match=r"expected list\(0: \*, 1: \*\), given"):
        tree.map(lambda x, y: x, [1, 2], other)


def test_dicts_with_other_keys_do_not_fit() -> None:
    with pytest.raises(ChainruleError, match=r"dict\(a: \*\), given dict\(b: \*\)"):
        tree.map(lambda x, y: x, {"a": 1}, {"b": 1})


def test_a_wrong_number_of_leaves() -> None:
    with pytest.raises(ChainruleError, match="holds 2 leaves, but 3 were given"):
        tree.unflatten(tree.structure([0, 0]), [1, 2, 3])


def test_registered_kinds_and_their_subclasses() -> None:
    class Small(Box):
        pass

    assert tree.leaves([Box(1), Small({"a": 2})]) == [1, 2]
    assert tree.map(lambda leaf: leaf + 1, Box(1)).content == 2


def test_one_leaf_kinds() -> None:
    @dataclasses.dataclass
    class Whole:
        parts: Any

    tree.register(Whole, lambda _: None)
    whole = Whole([1, 2])
    assert tree.leaves({"w": whole}) == [whole]


def test_tensors_are_leaves() -> None:
    x = cr.ones(3)
    assert tree.leaves({"x": x})[0] is x


def test_structures_compare_and_describe_themselves() -> None:
    assert tree.structure([1, 2]) == tree.structure([3, 4]) != tree.structure((3, 4))
    assert tree.describe(tree.structure({"w": [1], "b": None})) == "dict(w: list(0: *), b: NoneType())"
    assert hash(tree.structure({"w": [1]})) == hash(tree.structure({"w": [2]}))
