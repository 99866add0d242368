"""What is laid out anew for a kernel is laid out again once its source was updated in place: eager against compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.nn import functional

RANDOM = np.random.default_rng(0)


def numbers(*shape: int) -> Any:
    return (RANDOM.standard_normal(shape) / 4).astype(np.float32)


ONE_IMAGE, IMAGES, PLAIN = numbers(1, 4, 6, 6), numbers(17, 3, 6, 6), numbers(3, 16, 5, 5)
FEW, MANY, SQUARE = numbers(8, 4, 3, 3), numbers(16, 16, 3, 3), numbers(64, 64)


def convolve(x: Any, weight: Any) -> Any:
    return functional.conv2d(x, weight, None, 1, 0)


# name: (what the cell holds first, what is computed from it)
READERS: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "small convolution, weights": (FEW, lambda cell: convolve(ONE_IMAGE, cell)),
    "convolution, weights": (MANY, lambda cell: convolve(PLAIN, cell)),
    "convolution, examples as lanes": (IMAGES, lambda cell: convolve(cell, FEW[:, :3])),
    "convolution, channels as lanes": (PLAIN, lambda cell: convolve(cell, MANY)),
    "pooling of images laid out": (IMAGES, lambda cell: functional.max_pool2d(convolve(cell, FEW[:, :3]), 2)),
    "product, second": (SQUARE, lambda cell: numbers_of(97) @ cell),
    "product, first": (SQUARE, lambda cell: cell @ numbers_of(97).T),
    "product, turned": (SQUARE, lambda cell: numbers_of(97) @ cell.T),
}


def numbers_of(rows: int) -> Any:
    return cr.asarray(np.linspace(-1, 1, rows * 64, dtype=np.float32).reshape(rows, 64))


def moved(value: Any) -> Any:
    return value * 0.5 + 0.25


def agree(function: Callable[[], Any], cell: Any, first: Any) -> None:
    """Twice in a row, eagerly and compiled, from the same contents: results and what is left in the cell."""
    found = []
    for run in (function, cr.compile(function)):
        cell.assign(first)
        results = [np.array(each.numpy()) for _ in range(2) for each in run()]
        found.append([*results, np.array(cell.numpy())])
    for eager, compiled in zip(*found):
        np.testing.assert_allclose(compiled, eager, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", READERS)
def test_a_cell_assigned_between_two_readers(name: str) -> None:
    first, reader = READERS[name]
    cell = cr.tensor(first)

    def step() -> Any:
        before = reader(cell)
        cell.assign(moved(cell))
        return before, reader(cell)

    agree(step, cell, first)


@pytest.mark.parametrize("name", READERS)
def test_the_carry_of_a_loop_read_before_and_after_it_is_updated(name: str) -> None:
    first, reader = READERS[name]
    cell = cr.tensor(first)

    def round(carry: Any, _: Any) -> Any:
        before = reader(carry)
        new = moved(carry)
        return new, (before, reader(new))

    def step() -> Any:
        before = reader(cell)
        last, stacked = cr.scan(round, cell * 1.0, None, 3)
        cell.assign(last)
        return before, *stacked, reader(last), reader(cell)

    agree(step, cell, first)


@pytest.mark.parametrize("name", READERS)
def test_the_condition_of_a_loop_sees_each_round(name: str) -> None:
    first, reader = READERS[name]
    cell = cr.tensor(first)

    def step() -> Any:
        start = cr.sum(reader(cell) ** 2)

        def is_large(carry: Any) -> Any:
            rounds, value = carry
            return (rounds < 9) & (cr.sum(reader(value) ** 2) > start / 20)

        rounds, last = cr.while_loop(is_large, lambda carry: (carry[0] + 1, carry[1] * 0.7), (0, cell * 1.0))
        cell.assign(last)
        return rounds, reader(cell)

    agree(step, cell, first)
