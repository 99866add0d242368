"""What is told of an index out of range or a singular matrix in a program: where, which line, what was changed."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.errors import LinearAlgebraError, OutOfRangeError

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
    assert f"at test_noted.py:{line}: loss = nn.functional.cross_entropy(model(images), labels)" in text
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


SINGULAR = np.array([[1, 2], [2, 4]], np.float32)
GOOD = np.array([[2, 1], [1, 3]], np.float32)


def unsolved(call: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    with pytest.raises(LinearAlgebraError) as caught:
        call(*args, **kwargs)
    return str(caught.value)


@pytest.mark.parametrize("kind", [np.float32, np.complex128])
@pytest.mark.parametrize("function", [cr.linalg.inv, cr.linalg.cholesky, lambda x: cr.linalg.solve(x, x[0])])
def test_matrices_without_a_result_are_errors_as_they_are_eagerly(function: Any, kind: Any) -> None:
    """One in a batch suffices; one that is not finite is none."""
    batch = np.stack([GOOD, SINGULAR]).astype(kind)
    compiled = cr.compile(lambda x: cr.vmap(function)(x))
    eagerly = unsolved(cr.vmap(function), cr.tensor(batch))
    assert unsolved(compiled, batch).split(";")[0] == eagerly.split(";")[0]
    batch[1] = np.nan
    found = compiled(batch).numpy()
    np.testing.assert_allclose(found, cr.vmap(function)(cr.tensor(batch)).numpy(), rtol=1e-5)
    assert np.isnan(found[1]).any() and np.isfinite(found[0]).all()


def test_the_line_of_a_singular_matrix_in_a_loop_and_in_a_derivative() -> None:
    def body(carry: Any, x: Any) -> Any:
        return carry + cr.linalg.inv(x).sum(), None  # in the body

    looped = cr.compile(lambda x: cr.scan(body, cr.zeros(()), x)[0])
    assert "# in the body" in unsolved(looped, np.stack([GOOD, SINGULAR]))
    slope = cr.compile(cr.grad(lambda x: cr.linalg.slogdet(x)[1].sum()))
    assert "singular" in unsolved(slope, SINGULAR)
    np.testing.assert_allclose(slope(GOOD), np.linalg.inv(GOOD).T, rtol=1e-5)


def test_a_branch_that_is_not_taken_has_no_error() -> None:
    chosen = cr.compile(lambda x, take: cr.cond(take, lambda: cr.linalg.inv(x), lambda: x))
    np.testing.assert_array_equal(chosen(SINGULAR, np.False_), SINGULAR)
    unsolved(chosen, SINGULAR, np.True_)


@pytest.mark.parametrize("check", [False, True])
def test_what_a_step_with_a_singular_matrix_leaves(check: bool) -> None:
    total = cr.tensor(np.zeros((2, 2), np.float32))
    matrices = np.stack([GOOD, SINGULAR, GOOD])

    def step(x: Any) -> Any:
        total.assign(total + cr.linalg.inv(x)[0])
        return total.sum()

    text = unsolved(cr.compile(step, check_finite=check).epoch, matrices, batch_size=1)
    assert "cr.linalg.inv(x)[0])" in text
    if check:
        assert "is as it was before this step" in text
        np.testing.assert_allclose(total, np.linalg.inv(GOOD), rtol=1e-5)
    else:
        assert "was updated by this call all the same, with NaN or infinity for a result" in text


def test_a_matrix_that_only_the_program_finds_singular_is_told_without_its_shape() -> None:
    """Its cell is another one when NumPy looks: the step has changed it."""
    matrix = cr.tensor(SINGULAR)

    def step(x: Any) -> Any:
        found = cr.linalg.inv(matrix)  # here
        matrix.assign(x)
        return found

    text = unsolved(cr.compile(step), GOOD)
    assert "a matrix is singular (solve) or not positive definite" in text and "# here" in text
