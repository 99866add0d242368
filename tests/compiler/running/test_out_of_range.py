"""What is told of an index out of range in a program: whose it is, where, on which line, and what was changed."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.errors import OutOfRangeError

X = np.ones((20, 4), np.float32)


def message(call: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    with pytest.raises(OutOfRangeError) as caught:
        call(*args, **kwargs)
    return str(caught.value)


def training_step() -> Any:
    model = nn.Linear(4, 3)
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    @cr.compile
    def step(images: Any, labels: Any) -> Any:
        loss = nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def test_a_label_is_told_with_its_argument_place_and_line() -> None:
    labels = np.zeros(5, np.int64)
    labels[3] = -1
    text = message(training_step(), X[:5], labels)
    assert "argument labels holds -1 at position (3,); the array has shape (5, 3)" in text
    line = inspect.getsourcelines(training_step)[1] + 6
    assert f"at test_out_of_range.py:{line}: loss = nn.functional.cross_entropy(model(images), labels)" in text
    assert "was updated by this call all the same" in text


def test_a_label_in_an_epoch_is_told_with_its_row() -> None:
    labels = np.zeros(20, np.int64)
    labels[13] = 3
    step = training_step()
    text = message(step.epoch, X, labels, batch_size=5, order=np.arange(20)[::-1])
    assert "argument labels holds 3 at position (1,) of its batch, which is row 13 of the data" in text
    step.epoch(X, labels * 0, batch_size=5)  # nothing stays behind


def test_indices_along_two_axes_are_both_told_and_nothing_was_changed() -> None:
    text = message(cr.compile(lambda x, i, j: x[i, j]), X, np.array([0, 1]), np.array([3, 4]))
    assert "argument i holds 1 at position (1,), argument j holds 4 at position (1,)" in text
    assert "the array has shape (20, 4)" in text
    assert "updated" not in text


def test_an_index_that_is_computed_is_told_by_itself() -> None:
    text = message(cr.compile(lambda x: x[x.argmax(1) + 20]), X[:3])
    assert "20 at position (0,) of the indices; expected 0 to 2" in text


def test_an_index_in_a_loop_is_told_with_the_line_in_its_body() -> None:
    def body(carry: Any, at: Any) -> Any:
        return carry, carry[at]

    text = message(cr.compile(lambda x, i: cr.scan(body, x, i)[1]), X[:5], np.array([0, 7]))
    assert "index 7" in text
    assert "expected 0 to 4" in text
    assert "return carry, carry[at]" in text


@pytest.mark.parametrize("whole_epoch", [False, True])
def test_with_check_finite_the_weights_are_as_before_the_step(whole_epoch: bool) -> None:
    rows, labels = cr.tensor(np.zeros((3, 2), np.float32)), np.array([0, 1, 2, 0, 5, 1, 2, 2])

    def step(at: Any) -> Any:
        rows.assign(rows + 1)
        return rows[at].sum()

    checked = cr.compile(step, check_finite=True)
    if whole_epoch:
        text = message(checked.epoch, labels, batch_size=2)
    else:
        for start in (0, 2):
            checked(labels[start : start + 2])
        text = message(checked, labels[4:6])
    assert "is as it was before this step" in text
    np.testing.assert_array_equal(rows, 2)
    checked(labels[:2])
    np.testing.assert_array_equal(rows, 3)
