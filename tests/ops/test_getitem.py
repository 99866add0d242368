"""Indexing by random keys is NumPy's: shapes, elements, and where gradients go."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule.errors import ChainruleError

SHAPES = ((), (1,), (4,), (2, 3), (3, 3), (0,), (2, 0, 3), (2, 3, 4), (1, 3, 1), (2, 1, 3, 2))


def random_key(rng: random.Random, shape: tuple[int, ...]) -> tuple[Any, ...]:
    keys: list[Any] = [_one_key(rng, size) for size in shape[: rng.randint(0, len(shape))]]
    if rng.random() < 0.4:  # before the last key only where it stands for no axis: each key was made for its axis
        keys.insert(rng.randint(0, len(keys)) if len(keys) == len(shape) else len(keys), ...)
    if rng.random() < 0.4:
        keys.insert(rng.randint(0, len(keys)), None)
    return tuple(keys)


def _one_key(rng: random.Random, size: int) -> Any:
    generator = np.random.default_rng(rng.getrandbits(32))
    shape = rng.choice([(2,), (1,), (2, 1), (0,), (), (3,)])
    start, stop = (rng.choice([None, *range(-5, 6)]) for _ in range(2))
    choices = [slice(start, stop, rng.choice([None, 1, 2, -1, -2, 3])), generator.random(size) < 0.5]
    if size:
        choices += [generator.integers(-size, size, shape), rng.randint(-size, size - 1)]
        choices += [[rng.randint(-size, size - 1) for _ in range(rng.randint(0, 3))]]
    return rng.choice(choices)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from(SHAPES))
def test_random_keys(rng: random.Random, shape: tuple[int, ...]) -> None:
    x = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    key = random_key(rng, shape)
    try:
        expected = x[key]
    except IndexError:  # the shapes of index arrays don't broadcast
        with pytest.raises(ChainruleError):
            cr.tensor(x)[key]
        return
    handle = cr.tensor(x, requires_grad=True)
    given = handle[key]
    assert given.shape == expected.shape and np.array_equal(given.numpy(), expected)
    weights = np.cos(np.arange(expected.size)).reshape(expected.shape)
    (given * weights).sum().backward()
    counted = np.zeros(shape)
    np.add.at(counted, key, weights)
    assert handle.grad is not None
    np.testing.assert_allclose(handle.grad.numpy(), counted)


def test_dots_between_index_arrays_put_their_axes_first_even_where_they_stand_for_none() -> None:
    x, rows = cr.zeros((2, 3, 4)), [2, -3, -1]
    assert x[:, -3, rows].shape == (2, 3) and x[:, -3, ..., rows].shape == np.zeros((2, 3, 4))[:, -3, ..., rows].shape
    assert x[:, -3, ..., rows].shape == (3, 2)
    assert x[..., 0, rows].shape == (2, 3)
