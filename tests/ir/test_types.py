"""Types: promotion against NumPy's table, broadcasting, axes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from chainrule.errors import DtypeError, ShapeError
from chainrule.ir.types import (
    DTYPES,
    ArrayType,
    as_dtype,
    broadcast_shapes,
    float32,
    float64,
    int64,
    normalize_axes,
    normalize_axis,
    promote,
)


@pytest.mark.parametrize(("first", "second"), list(itertools.product(DTYPES, DTYPES)), ids=str)
def test_promotion_is_numpys_but_a_float_wins_over_integers(first: Any, second: Any) -> None:
    expected = np.promote_types(first, second)
    if expected.kind == "f" and first.kind != "f" and second.kind != "f":
        with pytest.raises(DtypeError, match="no common integer type"):
            promote(first, second)
        return
    if {first.kind, second.kind} >= {"f"} and first.kind != second.kind:
        expected = first if first.kind == "f" else second
    assert promote(first, second) == promote(second, first) == expected


def test_promotion_is_associative_where_defined() -> None:
    for triple in itertools.product(DTYPES, repeat=3):
        try:
            left = promote(promote(triple[0], triple[1]), triple[2])
            right = promote(triple[0], promote(triple[1], triple[2]))
        except DtypeError:
            continue
        assert left == right, triple


@pytest.mark.parametrize(
    "shapes", [((),), ((2, 3), (3,)), ((2, 1), (1, 3)), ((0, 1), (1, 5)), ((1,), (0,)), ((4, 1, 2), (3, 1), ()), ()]
)
def test_broadcasting_is_numpys(shapes: tuple[tuple[int, ...], ...]) -> None:
    assert broadcast_shapes(*shapes) == np.broadcast_shapes(*shapes)


@pytest.mark.parametrize("shapes", [((2,), (3,)), ((2, 3), (2,)), ((0,), (2,)), ((1, 2), (3, 4))])
def test_what_does_not_broadcast_names_the_axis(shapes: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(ShapeError, match=r"along axis \d"):
        broadcast_shapes(*shapes)


def test_axes() -> None:
    assert normalize_axis(-1, 3) == 2 and normalize_axes(None, 2) == (0, 1) and normalize_axes((-1, 0), 3) == (0, 2)
    assert normalize_axes(np.int64(1), 2) == (1,) and normalize_axes((), 2) == ()
    with pytest.raises(ShapeError, match="expected -2 to 1"):
        normalize_axis(2, 2)
    with pytest.raises(ShapeError, match="twice"):
        normalize_axes((0, -2), 2)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("float32", float32),
        (np.float64, float64),
        (float, float32),
        (int, int64),
        (bool, np.dtype(bool)),
        (">f8", None),
    ],
)
def test_names_of_element_types(given: Any, expected: Any) -> None:
    if expected is None:
        with pytest.raises(DtypeError, match="known"):
            as_dtype(given)
    else:
        assert as_dtype(given) == expected


def test_array_types_are_values() -> None:
    kind = ArrayType((2, 3), float32)
    assert kind == ArrayType((2, 3), np.dtype("float32")) and hash(kind) == hash(ArrayType((2, 3), float32))
    assert (kind.size, kind.ndim, kind.nbytes, kind.is_float, str(kind)) == (6, 2, 24, True, "float32[2, 3]")
    assert str(kind.with_shape(()).with_dtype(int64)) == "int64[]"
