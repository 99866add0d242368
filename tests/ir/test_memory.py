"""Large arrays that tensors own begin at a line of the cache."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.ir.memory import ALIGNMENT, address_of, copied

NUMBERS = np.arange(5000, dtype=np.float64)


@pytest.mark.parametrize(
    "make",
    [
        lambda: cr.tensor(NUMBERS),
        lambda: cr.tensor(NUMBERS[1:]),
        lambda: cr.tensor(NUMBERS.tolist()),
        lambda: cr.tensor(NUMBERS, dtype="float32"),
        lambda: cr.tensor(NUMBERS.tolist(), dtype="int32"),
        lambda: cr.tensor(NUMBERS.astype(">f8")),
        lambda: cr.nn.Parameter(NUMBERS),
        lambda: cr.arange(5000),
        lambda: cr.linspace(0, 4999, 5000),
    ],
)
def test_large_tensors_are_aligned(make: Any) -> None:
    for _ in range(8):  # memory of the system may be aligned by luck
        tensor = make()
        assert address_of(tensor.numpy()) % ALIGNMENT == 0
        np.testing.assert_array_equal(tensor, NUMBERS[-len(tensor) :])


def test_results_of_programs_are_aligned() -> None:
    double = cr.compile(lambda x: x * 2)
    results = [double(np.ones((200, 100), np.float32)) for _ in range(8)]
    assert [address_of(each.numpy()) % ALIGNMENT for each in results] == [0] * 8


def test_the_order_of_elements_in_memory_is_kept() -> None:
    turned = NUMBERS.reshape(50, 100).T
    assert copied(turned, turned.dtype).strides == turned.strides
    np.testing.assert_array_equal(copied(turned, turned.dtype), turned)


def test_a_copy_does_not_follow_its_source() -> None:
    source = NUMBERS.copy()
    made = copied(source, source.dtype)
    source[:] = 0
    np.testing.assert_array_equal(made, NUMBERS)
