"""When cells are copied for the check, what is kept of arguments, and that the runs since are made again rightly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler.running import checked
from chainrule.errors import NonFiniteError


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One number a copy of the cells."""
    made: list[int] = []
    take = checked.Checker._take_copy

    def counted(self: Any) -> None:
        made.append(len(made))
        take(self)

    monkeypatch.setattr(checked.Checker, "_take_copy", counted)
    return made


def adding(weight: cr.Tensor) -> Any:
    def step(x: Any) -> Any:
        weight.assign(weight + x)
        return cr.sqrt(weight).sum()

    return cr.compile(step, check_finite=True)


def test_programs_that_only_read_the_cells_cause_no_copy(copies: list[int]) -> None:
    weight, other = cr.tensor(np.ones(2, np.float32)), cr.tensor(np.zeros(2, np.float32))
    step = adding(weight)
    reads = cr.compile(lambda x: other.assign(weight + x))
    for _ in range(4):
        step(np.ones(2, np.float32))
        reads(np.ones(2, np.float32))
    assert len(copies) == 1


@pytest.mark.parametrize("gone", [False, True])
def test_what_other_programs_wrote_between_is_kept(gone: bool, copies: list[int]) -> None:
    """Also where the other program is no more."""
    weight = cr.tensor(np.ones(2, np.float32))
    step = adding(weight)
    for number in range(3):
        step(np.ones(2, np.float32))
        if number == 1:
            doubled = cr.compile(lambda: weight.assign(weight * 2))
            doubled()
            if gone:
                del doubled
    assert len(copies) == 2
    with pytest.raises(NonFiniteError):
        step(np.full(2, -100, np.float32))
    np.testing.assert_array_equal(weight, 7)


def test_tensors_are_kept_as_they_are_and_arrays_as_they_were() -> None:
    """Though the array is written to behind each call, and the tensor assigned to."""
    weight = cr.tensor(np.zeros(2, np.float32))

    def step(x: Any, y: Any) -> Any:
        weight.assign(weight + x * y)
        return cr.sqrt(y).sum()

    checking = cr.compile(step, check_finite=True)
    x, y = cr.tensor(np.ones(2, np.float32)), np.ones(2, np.float32)
    for _ in range(4):
        checking(x, y=y)
        x.assign(x + 1)
        y += 1
    y[:] = -1
    with pytest.raises(NonFiniteError) as caught:
        checking(x, y=y)
    assert "argument y" in str(caught.value)
    np.testing.assert_array_equal(weight, 1 + 4 + 9 + 16)


def test_an_argument_that_is_a_cell_is_kept_as_it_was() -> None:
    """A run writes the memory of its cells: an argument that lay there must not change with it."""
    weight = cr.tensor(np.ones(2, np.float32))

    def step(x: Any, y: Any) -> Any:
        weight.assign(weight + x)
        return cr.sqrt(y).sum()

    checking = cr.compile(step, check_finite=True)
    for _ in range(3):
        checking(weight.detach(), np.ones(2, np.float32))
    with pytest.raises(NonFiniteError):
        checking(weight.detach(), np.array([1, -1], np.float32))
    np.testing.assert_array_equal(weight, 8)
