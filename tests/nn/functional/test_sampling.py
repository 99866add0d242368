"""Spatial transformers, Gumbel draws, distances between points: against closed forms, and PyTorch where installed."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import chainrule.nn.functional as F
from chainrule.errors import ConfigurationError, ShapeError, UnknownNameError

RNG = np.random.default_rng(3)
IMAGE = RNG.standard_normal((2, 3, 4, 5))
GRID = RNG.uniform(-1.6, 1.6, (2, 3, 2, 2))
SOLID, SPACE = RNG.standard_normal((2, 2, 3, 4, 2)), RNG.uniform(-1.4, 1.4, (2, 2, 1, 3, 3))
MODES = [("bilinear", IMAGE, GRID), ("nearest", IMAGE, GRID), ("bicubic", IMAGE, GRID)]
MODES += [("bilinear", SOLID, SPACE), ("nearest", SOLID, SPACE)]


@pytest.mark.oracle
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize("case", range(len(MODES)))
def test_grid_sample_is_that_of_pytorch(case: int, padding: str, corners: bool) -> None:
    torch = pytest.importorskip("torch")
    mode, image, grid = MODES[case]
    theirs = [torch.tensor(each, requires_grad=True) for each in (image, grid)]
    expected = torch.nn.functional.grid_sample(*theirs, mode=mode, padding_mode=padding, align_corners=corners)
    weights = RNG.standard_normal(tuple(expected.shape))
    (expected * torch.tensor(weights)).sum().backward()

    def total(x: Any, g: Any) -> Any:
        return cr.sum(F.grid_sample(x, g, mode, padding, corners) * weights)

    found = F.grid_sample(cr.tensor(image), cr.tensor(grid), mode, padding, corners)
    np.testing.assert_allclose(found.numpy(), expected.detach().numpy(), rtol=1e-9, atol=1e-12)
    for ours, each in zip(cr.grad(total, argnums=(0, 1))(cr.tensor(image), cr.tensor(grid)), theirs, strict=True):
        np.testing.assert_allclose(ours.numpy(), each.grad.numpy(), rtol=1e-9, atol=1e-11)


@pytest.mark.oracle
@pytest.mark.parametrize("corners", [False, True])
def test_affine_grid_is_that_of_pytorch(corners: bool) -> None:
    torch = pytest.importorskip("torch")
    for size in ((2, 3, 4, 5), (2, 1, 2, 4, 3)):
        theta = RNG.standard_normal((2, len(size) - 2, len(size) - 1))
        expected = torch.nn.functional.affine_grid(torch.tensor(theta), list(size), align_corners=corners).numpy()
        np.testing.assert_allclose(F.affine_grid(cr.tensor(theta), size, corners).numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("corners", [False, True])
def test_an_identity_grid_gives_the_image_and_a_mirror_its_mirror(mode: str, corners: bool) -> None:
    for theta, expected in (
        ([[[1.0, 0, 0], [0, 1, 0]]] * 2, IMAGE),
        ([[[-1.0, 0, 0], [0, 1, 0]]] * 2, IMAGE[..., ::-1]),
    ):
        moved = cr.compile(
            lambda x, t: F.grid_sample(x, F.affine_grid(t, IMAGE.shape, corners), mode, "border", corners)
        )
        found = moved(cr.tensor(IMAGE), cr.tensor(theta, cr.float64))
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9, atol=1e-9)


def test_the_slope_of_a_ramp_under_a_shift() -> None:
    """Pixels 0, 1, 2, ...: a shift of the grid by s moves every pixel by half the width times s."""
    ramp = cr.tensor(np.broadcast_to(np.arange(6.0), (1, 1, 3, 6)).copy())
    grid = F.affine_grid(cr.tensor([[[0.5, 0, 0], [0, 0.5, 0]]], cr.float64), ramp.shape)
    shift = lambda s: cr.mean(F.grid_sample(ramp, grid + s))  # noqa: E731
    assert cr.grad(shift)(cr.tensor([0.1, 0.0], cr.float64)).tolist() == pytest.approx([3.0, 0.0])


def test_what_grids_can_not_be() -> None:
    with pytest.raises(UnknownNameError, match="bilinear"):
        F.grid_sample(IMAGE, GRID, "linear")
    with pytest.raises(UnknownNameError, match="border"):
        F.grid_sample(IMAGE, GRID, padding_mode="edge")
    with pytest.raises(ShapeError, match="batch, channels"):
        F.grid_sample(IMAGE, SPACE)
    with pytest.raises(ConfigurationError, match="two sizes"):
        F.grid_sample(SOLID, SPACE, "bicubic")
    with pytest.raises(ShapeError, match="theta"):
        F.affine_grid(cr.zeros((1, 2, 2)), (1, 1, 2, 2))


def test_gumbel_draws_have_the_probabilities_of_a_softmax() -> None:
    cr.random.manual_seed(5)
    logits = cr.tensor([0.0, 1.0, -1.0, 2.0])
    probabilities = cr.softmax(logits).numpy()
    for drawn in (
        cr.random.categorical(logits, shape=40_000).numpy(),
        F.gumbel_softmax(cr.broadcast_to(logits, (40_000, 4)), hard=True).numpy().argmax(1),
    ):
        shares = np.bincount(drawn, minlength=4) / len(drawn)
        assert np.abs(shares - probabilities).max() < 4 * math.sqrt(0.25 / 40_000)
    noise = cr.random.gumbel(50_000).numpy()
    assert noise.mean() == pytest.approx(0.5772, abs=0.025) and noise.var() == pytest.approx(math.pi**2 / 6, abs=0.08)
    assert cr.random.categorical(cr.zeros((3, 0, 2)), axis=0, shape=(5, 1)).shape == (5, 1, 0, 2)


def test_gumbel_softmax_soft_and_hard() -> None:
    def drawn(hard: bool) -> Any:
        cr.random.manual_seed(1)
        return cr.grad(lambda x: cr.sum(F.gumbel_softmax(x, 0.7, hard, dim=0) * cr.tensor([[1.0], [2.0], [4.0]])))(x)

    x = cr.tensor([[0.1, 0.2], [0.3, 0.9], [-1.0, 0.5]])
    np.testing.assert_allclose(drawn(True).numpy(), drawn(False).numpy(), rtol=1e-6)
    cr.random.manual_seed(1)
    hard = F.gumbel_softmax(x, hard=True, dim=0).numpy()
    np.testing.assert_allclose(np.sort(hard, 0), [[0, 0], [0, 0], [1, 1]], atol=1e-6)
    with pytest.raises(ConfigurationError, match="above 0"):
        F.gumbel_softmax(x, tau=0.0)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, math.inf])
def test_distances_between_points(p: float) -> None:
    first, second = RNG.standard_normal((4, 3)), RNG.standard_normal((2, 3))
    expected = [[np.linalg.norm(a - b, p) for b in second] for a in first]
    np.testing.assert_allclose(F.cdist(first, second, p).numpy(), expected, rtol=1e-12)
    pairs = [np.linalg.norm(a - b, p) for a, b in itertools.combinations(first, 2)]
    np.testing.assert_allclose(cr.compile(lambda x: F.pdist(x, p))(first).numpy(), pairs, rtol=1e-12)


def test_equal_points_have_no_slope_and_single_ones_no_distances() -> None:
    same = cr.ones((2, 3))
    assert not cr.grad(lambda x: cr.sum(F.pdist(x)) + cr.sum(F.cdist(x, x)))(same).numpy().any()
    assert F.pdist(cr.ones((1, 3))).shape == (0,)
    with pytest.raises(ShapeError, match="matrix"):
        F.pdist(cr.ones(3))


def test_feature_alpha_dropout_drops_whole_channels() -> None:
    cr.random.manual_seed(0)
    x = RNG.standard_normal((40, 50, 4))
    dropped = cr.nn.FeatureAlphaDropout(0.3)(cr.tensor(x)).numpy()
    constant = (dropped == dropped[..., :1]).all(-1)
    assert 0.2 < constant.mean() < 0.4
    assert dropped.mean() == pytest.approx(0, abs=0.1) and dropped.std() == pytest.approx(1, abs=0.1)
    assert (cr.nn.FeatureAlphaDropout(0.3).eval()(cr.tensor(x)).numpy() == x).all()
