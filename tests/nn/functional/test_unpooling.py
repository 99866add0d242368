"""Unpooling puts back what pooling found: by hand, against central differences and PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import OutOfRangeError, ShapeError

F = nn.functional
RANDOM = np.random.default_rng(0)
CASES = [
    (1, (2, 3, 8), 2, None, 0),
    (2, (2, 2, 6, 7), (2, 3), (2, 2), 0),
    (2, (1, 2, 5, 5), 3, 2, 1),
    (3, (1, 2, 4, 4, 6), 2, None, 0),
]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(("rank", "shape", "window", "step", "edge"), CASES)
def test_what_was_pooled_comes_back(rank: int, shape: Any, window: Any, step: Any, edge: int, compiled: bool) -> None:
    x = RANDOM.permutation(np.arange(1.0, np.prod(shape) + 1)).reshape(shape)  # no two are equal
    pool, unpool = getattr(F, f"max_pool{rank}d"), getattr(F, f"max_unpool{rank}d")

    def there_and_back(x: Any) -> Any:
        largest, places = pool(x, window, step, edge, return_indices=True)
        return unpool(largest, places, window, step, edge, output_size=shape[2:])

    found = (cr.compile(there_and_back) if compiled else there_and_back)(x).numpy()
    largest = set(pool(x, window, step, edge).numpy().ravel())
    np.testing.assert_array_equal(found, np.where(np.isin(x, list(largest)), x, 0.0))
    assert cr.check_gradients(lambda x: (there_and_back(x) ** 2).sum(), (x,), order=2).max_relative_error < 1e-6


@pytest.mark.oracle
@pytest.mark.parametrize(("rank", "shape", "window", "step", "edge"), [CASES[0], CASES[3]])
def test_it_is_pytorchs(rank: int, shape: Any, window: Any, step: Any, edge: int) -> None:
    torch = pytest.importorskip("torch")
    x = RANDOM.standard_normal(shape)
    largest, places = getattr(torch.nn, f"MaxPool{rank}d")(window, step, edge, return_indices=True)(torch.tensor(x))
    expected = getattr(torch.nn, f"MaxUnpool{rank}d")(window, step, edge)(largest, places)
    layer = getattr(nn, f"MaxUnpool{rank}d")(window, step, edge)
    np.testing.assert_array_equal(layer(largest.numpy(), places.numpy()).numpy(), expected.numpy())


def test_one_example_alone_and_what_does_not_fit() -> None:
    largest, places = F.max_pool2d(np.ones((2, 4, 4)), 2, return_indices=True)
    assert F.max_unpool2d(largest, places, 2).shape == (2, 4, 4)
    with pytest.raises(ShapeError, match="indices say where each element goes"):
        F.max_unpool2d(largest, places[:1], 2)
    with pytest.raises(ShapeError, match="more than a step"):
        F.max_unpool2d(largest, places, 2, output_size=(9, 4))
    with pytest.raises(OutOfRangeError):
        F.max_unpool2d(largest, places + 99, 2)
