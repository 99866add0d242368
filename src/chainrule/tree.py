"""Nested containers of leaves: dicts, lists, tuples, named tuples, dataclasses, and whatever registers itself.

`None` holds no leaf. A container keeps the order in which it lists its children.
"""

from __future__ import annotations

import builtins
import copy
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from .errors import ChainruleError

Path = tuple[str | int, ...]


class Children(NamedTuple):
    """The children of one container with their keys, and how to build such a container anew."""

    keys: tuple[str | int, ...]
    values: tuple[Any, ...]
    rebuild: Callable[[Sequence[Any]], Any]


@dataclasses.dataclass(frozen=True)
class Structure:
    """The shape of a tree without its leaves. `kind` is None for a leaf."""

    kind: type | None
    keys: tuple[str | int, ...]
    children: tuple[Structure, ...]
    rebuild: Callable[[Sequence[Any]], Any] = dataclasses.field(compare=False, repr=False)

    @property
    def leaf_count(self) -> int:
        """How many leaves a tree of this structure has."""
        return 1 if self.kind is None else sum(child.leaf_count for child in self.children)


LEAF = Structure(None, (), (), rebuild=lambda leaves: leaves[0])

_REGISTERED: dict[type, Callable[[Any], Children | None]] = {}


def register(kind: type, children: Callable[[Any], Children | None]) -> None:
    """Make instances of `kind` (and its subclasses) containers: `children(instance)` lists what they hold.

    Where it gives None the instance is a leaf: so a dataclass can be kept in one piece.
    """
    _REGISTERED[kind] = children


def _registered(tree: Any) -> Callable[[Any], Children | None] | None:
    for kind in type(tree).__mro__:
        if kind in _REGISTERED:
            return _REGISTERED[kind]
    return None


def is_registered(tree: Any) -> bool:
    """Whether it is of a kind that said itself what it holds, such as a module."""
    return _registered(tree) is not None


def children_of(tree: Any) -> Children | None:
    """The children of a container, or None for a leaf."""
    if tree is None:
        return Children((), (), lambda _: None)
    if isinstance(tree, dict):
        keys = tuple(tree)
        return Children(keys, tuple(tree.values()), lambda values: _dict_like(tree, zip(keys, values)))
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return Children(tree._fields, tuple(tree), lambda values: type(tree)(*values))
    if isinstance(tree, list | tuple):
        return Children(tuple(range(len(tree))), tuple(tree), lambda values: type(tree)(values))
    if registered := _registered(tree):
        return registered(tree)
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        names = tuple(field.name for field in dataclasses.fields(tree) if field.init)
        values = tuple(getattr(tree, name) for name in names)
        return Children(names, values, lambda new: _dataclass_like(tree, dict(zip(names, new))))
    return None


def set_later(example: Any) -> dict[str, Any]:
    """Fields of a dataclass that are no arguments and that nothing computes: no children, but kept as they are."""
    if hasattr(example, "__post_init__"):
        return {}
    fields = [field for field in dataclasses.fields(example) if not field.init]
    return {field.name: getattr(example, field.name) for field in fields if hasattr(example, field.name)}


def _dataclass_like(example: Any, values: dict[str, Any]) -> Any:
    new = dataclasses.replace(example, **values)
    for name, value in set_later(example).items():
        object.__setattr__(new, name, value)
    return new


def _dict_like(example: dict[Any, Any], items: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    """A dict of the same kind: a defaultdict keeps its factory."""
    if type(example) is dict:
        return dict(items)
    new = copy.copy(example)
    for key, value in items:
        new[key] = value
    return new


def _walk(tree: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    children = children_of(tree)
    if children is None:
        yield path, tree
        return
    for key, value in zip(children.keys, children.values):
        yield from _walk(value, (*path, key))


def flatten_with_paths(tree: Any) -> list[tuple[Path, Any]]:
    """Every leaf with the keys that lead to it.

    >>> flatten_with_paths({"w": [1, 2]})
    [(('w', 0), 1), (('w', 1), 2)]
    """
    return list(_walk(tree, ()))


def structure(tree: Any) -> Structure:
    """The shape of `tree` without its leaves."""
    children = children_of(tree)
    if children is None:
        return LEAF
    return Structure(type(tree), children.keys, tuple(builtins.map(structure, children.values)), children.rebuild)


def leaves(tree: Any) -> list[Any]:
    """Every leaf, in order."""
    return [leaf for _, leaf in _walk(tree, ())]


def flatten(tree: Any) -> tuple[list[Any], Structure]:
    """The leaves of `tree` and its structure, from which `unflatten` builds it anew."""
    return leaves(tree), structure(tree)


def unflatten(shape: Structure, new_leaves: Iterable[Any]) -> Any:
    """A tree of structure `shape` with the leaves given; their number must fit."""
    given = list(new_leaves)
    if len(given) != shape.leaf_count:
        raise ChainruleError(f"this structure holds {shape.leaf_count} leaves, but {len(given)} were given")
    return _build(shape, iter(given))


def _build(shape: Structure, remaining: Iterator[Any]) -> Any:
    if shape.kind is None:
        return next(remaining)
    return shape.rebuild([_build(child, remaining) for child in shape.children])


def map(function: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """Apply `function` to each leaf of `tree` (and to the leaves at the same place in `others`).

    >>> map(lambda x, y: x + y, {"a": 1}, {"a": 2})
    {'a': 3}
    """
    first, shape = flatten(tree)
    rest = [flatten_like(shape, other) for other in others]
    return unflatten(shape, [function(*group) for group in zip(first, *rest)])


def flatten_like(shape: Structure, tree: Any) -> list[Any]:
    """The leaves of `tree`, which must have the structure `shape`."""
    found = structure(tree)
    if found == shape:
        return leaves(tree)
    ordered = _leaves_in_order(shape, tree)
    if ordered is None:
        raise ChainruleError(f"two trees differ in structure: expected {describe(shape)}, given {describe(found)}")
    return ordered


def _leaves_in_order(shape: Structure, tree: Any) -> list[Any] | None:
    """The leaves in the order of `shape`: dicts may list the same keys in another order. None where they differ."""
    children = children_of(tree)
    if children is None or shape.kind is None:
        return [tree] if children is None and shape.kind is None else None
    if shape.kind is not type(tree) or set(shape.keys) != set(children.keys):
        return None
    by_key = dict(zip(children.keys, children.values))
    parts = [_leaves_in_order(child, by_key[key]) for key, child in zip(shape.keys, shape.children)]
    found = [part for part in parts if part is not None]
    return [leaf for part in found for leaf in part] if len(found) == len(parts) else None


def describe(shape: Structure) -> str:
    """A short text form of a structure: `dict(w: *, b: *)`."""
    if shape.kind is None:
        return "*"
    inside = ", ".join(f"{key}: {describe(child)}" for key, child in zip(shape.keys, shape.children))
    return f"{shape.kind.__name__}({inside})"


def path_text(path: Path) -> str:
    """A path as people write it: `layers.0.weight`."""
    return ".".join(str(key) for key in path)
