"""Rules of structure: what each makes of movements of elements, and that every element still arrives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule.ir.build import constant
from chainrule.ir.graph import Value
from chainrule.ir.types import ArrayType, bool_, float32, int32
from chainrule.ops import broadcasting, reduction, structure
from chainrule.ops import elementwise as ew
from chainrule.passes import remove_unused, simplify_structure

from .helpers import assert_same_meaning, graph_of, names

Function = Callable[..., Any]
reshape, broadcast, permute = structure.reshape, broadcasting.broadcast_to, structure.permute_dims
CUBE, MATRIX, ROW, COLUMN = (ArrayType(shape, float32) for shape in ((2, 3, 4), (3, 4), (4,), (3, 1)))
SINGLE, NUMBER, INTEGERS, MASK = (
    *(ArrayType((1, 3, 1, 4), float32), ArrayType((), float32), ArrayType((1, 3), int32), ArrayType((1, 3), bool_)),
)


def cut(x: Any, starts: tuple[int, ...], stops: tuple[int, ...], steps: tuple[int, ...]) -> Any:
    return structure.slice(x, starts=starts, stops=stops, steps=steps)


def pad(x: Any, low: tuple[int, ...], high: tuple[int, ...], interior: tuple[int, ...]) -> Any:
    return structure.pad(x, low=low, high=high, interior=interior)


def check(function: Function, kinds: tuple[ArrayType, ...], expected: str) -> None:
    graph = graph_of(function, *kinds)
    changed = graph
    while (after := remove_unused(simplify_structure(changed))) is not changed:
        changed = after
    assert names(changed) == expected.split()
    assert_same_meaning(changed, graph)


@pytest.mark.parametrize(
    ("function", "kind", "expected"),
    [
        (lambda x: reshape(x, shape=(3, 4)), MATRIX, ""),
        (lambda x: reshape(reshape(x, shape=(12,)), shape=(3, 4)), MATRIX, ""),
        (lambda x: reshape(reshape(x, shape=(12,)), shape=(4, 3)), MATRIX, "reshape"),
        (lambda x: reshape(broadcast(x, shape=(3, 4)), shape=(3, 1, 4)), ROW, "broadcast_to"),
        (lambda x: reshape(broadcast(x, shape=(3, 4)), shape=(1, 3, 4, 1)), COLUMN, "reshape broadcast_to"),
        (lambda x: reshape(broadcast(x, shape=(3, 4)), shape=(12,)), NUMBER, "broadcast_to"),
        (lambda x: reshape(broadcast(x, shape=(3, 4)), shape=(12,)), ROW, "broadcast_to reshape"),
        (lambda x: broadcast(x, shape=(3, 4)), MATRIX, ""),
        (lambda x: broadcast(broadcast(x, shape=(3, 4)), shape=(2, 3, 4)), COLUMN, "broadcast_to"),
        (lambda x: broadcast(reshape(x, shape=(1, 1)), shape=(3, 4)), NUMBER, "broadcast_to"),
        (lambda x: broadcast(reshape(x, shape=(1, 4)), shape=(3, 4)), ROW, "broadcast_to"),
        (lambda x: broadcast(reshape(x, shape=(4, 1)), shape=(4, 4)), ROW, "reshape broadcast_to"),
    ],
)
def test_reshape_and_broadcast(function: Function, kind: ArrayType, expected: str) -> None:
    check(function, (kind,), expected)


@pytest.mark.parametrize(
    ("function", "kind", "expected"),
    [
        (lambda x: permute(x, axes=(0, 1, 2)), CUBE, ""),
        (lambda x: permute(permute(x, axes=(2, 0, 1)), axes=(1, 2, 0)), CUBE, ""),
        (lambda x: permute(permute(x, axes=(2, 0, 1)), axes=(2, 0, 1)), CUBE, "permute_dims"),
        (lambda x: permute(x, axes=(1, 0, 3, 2)), SINGLE, "reshape"),
        (lambda x: permute(x, axes=(3, 0, 1, 2)), SINGLE, "permute_dims"),
        (lambda x: permute(broadcast(x, shape=(3, 4)), axes=(1, 0)), ROW, "reshape broadcast_to"),
        (lambda x: permute(broadcast(x, shape=(2, 3, 4)), axes=(2, 0, 1)), MATRIX, "reshape permute_dims broadcast_to"),
        (lambda x: structure.flip(structure.flip(x, axes=(0, 2)), axes=(0, -1)), CUBE, ""),
        (lambda x: structure.flip(structure.flip(x, axes=(0, 1)), axes=(1, 2)), CUBE, "flip"),
        (lambda x: structure.flip(x, axes=(0, 2)), SINGLE, ""),
        (lambda x: structure.flip(x, axes=(0, 1)), SINGLE, "flip"),
        (lambda x: structure.flip(x, axes=()), NUMBER, ""),
    ],
)
def test_permute_and_flip(function: Function, kind: ArrayType, expected: str) -> None:
    check(function, (kind,), expected)


def chosen(x: Value, y: Value) -> Value:
    """x in the two columns in the middle of four, y outside of them."""
    return ew.where(constant(np.tile([False, True, True, False], (3, 1))), x, y)


@pytest.mark.parametrize(
    ("function", "kind", "expected"),
    [
        (lambda x: cut(x, (0, 0), (3, 4), (1, 1)), MATRIX, ""),
        (lambda x: cut(cut(x, (1, 0), (3, 4), (1, 2)), (1, 0), (2, 2), (1, 1)), MATRIX, "slice"),
        (lambda x: cut(cut(x, (0, 0), (3, 4), (1, 2)), (1, 1), (3, 2), (1, 1)), MATRIX, "slice"),
        (lambda x: cut(cut(x, (1, 0), (3, 4), (1, 1)), (0, 1), (2, 4), (1, 2)), MATRIX, "slice"),
        (lambda x: cut(cut(x, (0, 0), (3, 4), (1, 2)), (1, 2), (1, 2), (1, 1)), MATRIX, "slice slice"),
        (lambda x: pad(x, (0, 0), (0, 0), (0, 0)), MATRIX, ""),
        (lambda x: pad(pad(x, (1, 0), (0, 2), (0, 0)), (1, 1), (0, 1), (0, 0)), MATRIX, "pad"),
        (lambda x: pad(pad(x, (1, 0), (0, 2), (1, 0)), (1, 1), (0, 1), (0, 0)), MATRIX, "pad pad"),
        (lambda x: cut(pad(x, (1, 0), (0, 2), (1, 0)), (1, 0), (6, 4), (2, 1)), MATRIX, ""),
        (lambda x: cut(pad(x, (1, 0), (0, 2), (1, 0)), (0, 0), (6, 4), (2, 1)), MATRIX, "pad slice"),
        (lambda x: structure.concat(x, axis=0), MATRIX, ""),
        (lambda x: structure.concat(x, x, axis=0), MATRIX, "concat"),
        (lambda x: cut(structure.concat(ew.abs(x), x, axis=0), (3, 0), (6, 4), (1, 1)), MATRIX, ""),
        (lambda x: cut(structure.concat(ew.abs(x), x, axis=1), (0, 5), (3, 8), (1, 2)), MATRIX, "slice"),
        (lambda x: cut(structure.concat(ew.abs(x), x, axis=1), (0, 3), (3, 8), (1, 2)), MATRIX, "abs concat slice"),
        (lambda x: cut(chosen(ew.abs(x), x), (0, 1), (3, 3), (1, 1)), MATRIX, "abs slice"),
        (lambda x: cut(chosen(ew.abs(x), x), (0, 0), (3, 4), (1, 3)), MATRIX, "slice"),
        (lambda x: cut(chosen(ew.abs(x), x), (0, 0), (3, 2), (1, 1)), MATRIX, "abs where slice"),
    ],
)
def test_slice_pad_and_concat(function: Function, kind: ArrayType, expected: str) -> None:
    check(function, (kind,), expected)


@pytest.mark.parametrize(
    ("function", "kind", "expected"),
    [
        (lambda x: broadcasting.sum(x, axes=()), INTEGERS, ""),
        (lambda x: broadcasting.sum(x, axes=(0,)), INTEGERS, "reshape"),
        (lambda x: broadcasting.sum(x, axes=(0, 2)), SINGLE, "reshape add"),  # the sum of -0.0 is 0.0
        (lambda x: broadcasting.sum(x, axes=(0, 1)), SINGLE, "sum"),
        (lambda x: reduction.max(x, axes=(0, 2)), SINGLE, "reshape"),
        (lambda x: reduction.min(x, axes=()), SINGLE, ""),
        (lambda x: reduction.all(x, axes=(0,)), MASK, "reshape"),
        (lambda x: reduction.any(x, axes=(1,)), MASK, "any"),
    ],
)
def test_reductions_over_nothing(function: Function, kind: ArrayType, expected: str) -> None:
    check(function, (kind,), expected)
