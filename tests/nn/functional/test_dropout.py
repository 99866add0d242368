"""Dropout: how much is dropped, what stays the same, and that evaluation changes nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import ConfigurationError, ShapeError

F = nn.functional
SHAPES = {"dropout": (50, 40), "dropout1d": (50, 40, 3), "dropout2d": (50, 40, 2, 2), "dropout3d": (50, 40, 2, 1, 2)}


@pytest.mark.parametrize(("name", "shape"), SHAPES.items())
def test_whole_units_are_dropped_and_the_rest_scaled(name: str, shape: tuple[int, ...]) -> None:
    x = np.ones(shape)
    y = getattr(F, name)(x, 0.3, generator=cr.random.Generator(1)).numpy()
    np.testing.assert_allclose(np.unique(y), [0, 1 / 0.7], rtol=1e-15)
    units = y.reshape(2000, -1)
    assert (units == units[:, :1]).all()
    assert (units[:, 0] == 0).mean() == pytest.approx(0.3, abs=0.04)


@pytest.mark.parametrize("name", [*SHAPES, "alpha_dropout"])
def test_without_training_nothing_happens(name: str) -> None:
    x = cr.ones(SHAPES.get(name, (3, 4)))
    state = cr.random.default_generator.get_state()
    assert getattr(F, name)(x, 0.9, training=False) is x
    assert getattr(F, name)(x, 0.0, training=True) is x
    np.testing.assert_array_equal(cr.random.default_generator.get_state(), state)
    assert (getattr(F, name)(x, 1.0, training=True).numpy() == 0).all()


def test_the_gradient_takes_the_same_units() -> None:
    x = cr.tensor(np.full((20, 20), 2.0), requires_grad=True)
    y = F.dropout(x, 0.5, generator=cr.random.Generator(3))
    cr.sum(y).backward()
    np.testing.assert_array_equal(x.grad.numpy() * 2, y.numpy())


def test_the_same_seed_drops_the_same() -> None:
    first, second, third = (F.dropout(np.ones(100), generator=cr.random.Generator(seed)).numpy() for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, third)


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    x = np.random.default_rng(0).normal(size=40000)
    y = F.alpha_dropout(x, 0.2, training=True, generator=cr.random.Generator(1)).numpy()
    assert y.mean() == pytest.approx(0, abs=0.03)
    assert y.std() == pytest.approx(1, abs=0.02)


def call(name: str, *arguments: Any) -> Any:
    return lambda: getattr(F, name)(*arguments)


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        (call("dropout", np.ones(3), 1.5), ConfigurationError),
        (call("dropout", np.ones(3), float("nan")), ConfigurationError),
        (call("dropout2d", np.ones((2, 3, 4))), ShapeError),
        (lambda: nn.Dropout2d(-0.1), ConfigurationError),
    ],
)
def test_what_is_refused(wrong: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        wrong()
