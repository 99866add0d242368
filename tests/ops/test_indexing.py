"""Gather and scatter-add: order of addition, limits, and the two ways in which rows are added."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import OutOfRangeError
from chainrule.ir.build import constant
from chainrule.ops.indexing import check_indices, gather, scatter_add
from chainrule.reference import run


@pytest.mark.parametrize("count", [0, 1, 32, 33, 500])
@pytest.mark.parametrize("row", [(), (3,), (2, 2)])
@pytest.mark.parametrize("rows", [1, 4, 1000])
def test_rows_are_added_in_the_order_of_the_updates(count: int, row: tuple[int, ...], rows: int) -> None:
    generator = np.random.default_rng(count)
    x = generator.normal(size=(rows, *row)).astype(np.float32)
    indices = generator.integers(0, rows, count)
    updates = (generator.normal(size=(count, *row)) * 10.0 ** generator.integers(-4, 4)).astype(np.float32)
    expected = x.copy()
    for index, update in zip(indices, updates):  # one by one: float addition is not associative
        expected[index] += update
    result = scatter_add(constant(x), constant(indices), constant(updates))
    assert result.data is not None and result.data.tobytes() == expected.tobytes()


def test_indices_of_any_integer_type_and_shape() -> None:
    x = np.arange(12.0).reshape(4, 3)
    for dtype in (np.int8, np.uint8, np.int32, np.uint64):
        indices = np.array([[3, 0], [1, 1]], dtype)
        assert np.array_equal(gather(constant(x), constant(indices)).data, x[indices])


def test_an_index_out_of_range_is_named() -> None:
    with pytest.raises(OutOfRangeError, match=r"index 7 \(at position \(1, 0\) of the indices\).*expected 0 to 3"):
        check_indices(np.array([[0, 1], [7, 2]]), 4)
    with pytest.raises(OutOfRangeError, match="index -1"):
        check_indices(np.array([-1]), 4)
    check_indices(np.zeros((0, 2), np.int64), 0)


def test_traced_indices_are_checked_when_they_are_known() -> None:
    graph = cr.trace(lambda x, i: cr.take(x, i, axis=0))(np.zeros((3, 2)), np.array([0]))
    x = np.arange(6.0).reshape(3, 2)
    assert run(graph, [x, np.array([-1])])[0].tolist() == [[4, 5]]
    with pytest.raises(OutOfRangeError, match="expected 0 to 2"):
        run(graph, [x, np.array([3])])
