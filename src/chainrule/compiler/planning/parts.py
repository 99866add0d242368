"""Values computed where they are wanted: parts of a concatenation in the whole, products as a reshape sees them.

So nothing has to be moved: the gates' cotangents of an LSTM, and those of queries, keys and values, lie side by side as
they are computed, and the heads of attention lie beside each other for the product that follows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ...ir.graph import Equation, Value
from .group import Grouping
from .place import Layout, Place, dense, lies_at, reshaped
from .unit import root_of, seen_through

if TYPE_CHECKING:
    from .lowering import Lowering


def wish_parts(lowering: Lowering, grouping: Grouping, overwrite: set[int]) -> None:
    """Say where parts of concatenations had best be computed, the whole first, and how products had best lie.

    overwrite: ids of values that take over the memory of an input: they may not be begun before their time.
    """
    for equation in reversed(lowering.graph.equations):
        name = equation.primitive.name
        if id(equation.outputs[0]) in overwrite:
            continue
        if name == "concat" and equation.outputs[0].size:
            _wish_parts(lowering, grouping, equation)
        elif name in ("matmul", "pair_product", "triangle_product"):
            _wish_order(lowering, equation.outputs[0])


def _wish_parts(lowering: Lowering, grouping: Grouping, equation: Equation) -> None:
    result = equation.outputs[0]
    whole = lowering.wishes.get(id(result))
    if whole is None:
        whole = lowering.temporary(result.type, order_seen(lowering, result))
    lowering.wholes[id(result)] = whole
    for value, part in parts_of(equation, whole):
        root, chain = root_of(value)
        if root.equation is None or root.data is not None or id(root) in lowering.wishes:
            continue
        place = _behind(part, root, chain)
        if place is not None and id(root) not in lowering.output_ids and id(root.equation) in grouping.unit_of:
            lowering.wishes[id(root)] = place


def parts_of(equation: Equation, whole: Place) -> Iterator[tuple[Value, Place]]:
    """What is concatenated, with its part of the whole."""
    axis, start = equation.params["axis"] % len(whole.shape), 0
    for value in equation.inputs:
        yield value, replace(whole, shape=value.shape, offset=whole.offset + start * whole.strides[axis])
        start += value.shape[axis]


def lower_parts(lowering: Lowering, equation: Equation) -> bool:
    """A concatenation whose parts lie where they belong, or some of them; False where none does."""
    whole = lowering.wholes.get(id(equation.outputs[0]))
    if whole is None:
        return False
    moves = [(lowering.place_of(value), part) for value, part in parts_of(equation, whole)]
    moves = [(source, part) for source, part in moves if not lies_at(source, part)]
    if len(moves) == len(equation.inputs):
        return False
    for source, part in moves:
        lowering.copy(source, part, "concat")
    lowering.places[id(equation.outputs[0])] = whole
    return True


def _behind(part: Place, root: Value, chain: Sequence[Equation]) -> Place | None:
    """Where `root` must lie for what views show of it to lie at `part`; None where they don't show all of it."""
    layout: Layout = (part.shape, part.strides, part.offset)
    for view in reversed(chain):
        before = view.inputs[0]
        if view.primitive.name == "permute_dims":
            back = dict(zip(view.params["axes"], zip(*layout[:2])))
            pairs = [back[axis] for axis in range(before.ndim)]
            layout = before.shape, tuple(step for _, step in pairs), layout[2]
        elif view.primitive.name == "reshape":
            found = reshaped(layout, before.shape)
            if found is None:
                return None
            layout = found
        elif view.primitive.name not in ("identity", "stop_gradient"):
            return None
    return replace(part, shape=layout[0], strides=layout[1], offset=layout[2])


# -- the order of axes


def _wish_order(lowering: Lowering, result: Value) -> None:
    """A product that is read with its axes in another order lies so, if its columns stay neighbours."""
    if id(result) in lowering.wishes or id(result) in lowering.output_ids or result.ndim < 3:
        return
    order = order_seen(lowering, result)
    if order is not None and order[-1] == result.ndim - 1:
        lowering.wishes[id(result)] = lowering.temporary(result.type, order)


def order_seen(lowering: Lowering, value: Value) -> tuple[int, ...] | None:
    """The order of the axes, the outermost first, in which all who read a value see it before they merge some."""
    users = lowering.users.get(id(value), ())
    if not users or any(user.primitive.name != "permute_dims" for user in users):
        return None
    order: tuple[int, ...] = tuple(users[0].params["axes"])
    if any(tuple(user.params["axes"]) != order for user in users):
        return None
    reshapes = [
        [user, after]
        for user in users
        for after in lowering.users.get(id(user.outputs[0]), ())
        if after.primitive.name == "reshape"
    ]
    moves = any(seen_through(value.shape, dense(value.shape), chain) is None for chain in reshapes)
    stays = all(seen_through(value.shape, dense(value.shape, order), chain) is not None for chain in reshapes)
    return order if moves and stays else None


def usable(lowering: Lowering, value: Value, turned: bool) -> Place | None:
    """Where a product is wanted, if its columns (turned: its rows) are neighbours there."""
    place = lowering.wishes.get(id(value))
    if place is None or value.ndim < 2:
        return None
    axis = value.ndim - (2 if turned else 1)
    return place if place.strides[axis] == 1 or value.shape[axis] == 1 else None
