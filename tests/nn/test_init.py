"""Initialisers: the moments and bounds of the papers' formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import ShapeError, UnknownNameError


def filled(name: str, shape: tuple[int, ...] = (200, 100), **options: Any) -> np.ndarray:
    cr.random.manual_seed(0)
    parameter = nn.Parameter(np.zeros(shape, np.float64))
    assert getattr(nn.init, name)(parameter, **options) is parameter
    return parameter.numpy()


@pytest.mark.parametrize(
    ("name", "options", "std"),
    [
        ("uniform_", {"a": -3.0, "b": 3.0}, np.sqrt(3)),
        ("normal_", {"std": 0.5}, 0.5),
        ("xavier_uniform_", {}, np.sqrt(2 / 300)),
        ("xavier_normal_", {"gain": 2.0}, 2 * np.sqrt(2 / 300)),
        ("kaiming_uniform_", {"nonlinearity": "relu"}, np.sqrt(2 / 100)),
        ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "relu"}, np.sqrt(2 / 200)),
        ("trunc_normal_", {"std": 1.0}, 0.8796),
        ("orthogonal_", {}, np.sqrt(1 / 200)),
    ],
)
def test_moments(name: str, options: dict[str, Any], std: float) -> None:
    drawn = filled(name, **options)
    assert drawn.std() == pytest.approx(std, rel=0.02)
    assert abs(drawn.mean()) < 4 * std / np.sqrt(drawn.size) + 1e-3 * std


def test_constants() -> None:
    assert (filled("ones_") == 1).all()
    assert (filled("constant_", val=3.5) == 3.5).all()
    np.testing.assert_array_equal(filled("eye_", (2, 3)), np.eye(2, 3))


def test_orthogonal_columns() -> None:
    drawn = filled("orthogonal_", (20, 8))
    np.testing.assert_allclose(drawn.T @ drawn, np.eye(8), atol=1e-12)


def test_truncated_normal_stays_inside() -> None:
    assert np.abs(filled("trunc_normal_", a=-0.5, b=0.5)).max() <= 0.5


def test_dirac_passes_channels_on() -> None:
    layer = nn.Conv2d(3, 3, 3, padding=1, bias=False)
    nn.init.dirac_(layer.weight)
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    np.testing.assert_array_equal(layer(x).numpy(), x)


def test_sparse_columns() -> None:
    assert ((filled("sparse_", sparsity=0.25) == 0).sum(axis=0) == 50).all()


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"])
def test_gains_are_pytorchs(name: str) -> None:
    torch = pytest.importorskip("torch")
    assert nn.init.calculate_gain(name) == pytest.approx(torch.nn.init.calculate_gain(name), rel=1e-15)


@pytest.mark.oracle
@pytest.mark.parametrize("shape", [(4, 2, 3), (6, 3, 3, 4), (3, 5, 2, 2, 2)])
@pytest.mark.parametrize("groups", [1, 3])
def test_dirac_is_pytorchs(shape: tuple[int, ...], groups: int) -> None:
    torch = pytest.importorskip("torch")
    if shape[0] % groups:
        pytest.skip("channels don't divide")
    theirs = torch.nn.init.dirac_(torch.empty(shape), groups)
    np.testing.assert_array_equal(filled("dirac_", shape, groups=groups), theirs.numpy())


@pytest.mark.oracle
@pytest.mark.parametrize("shape", [(7, 5), (6, 4, 3), (6, 4, 3, 2)])
def test_fans_are_pytorchs(shape: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    expected = torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))
    assert nn.init.fans(nn.Parameter(np.zeros(shape))) == expected


def test_a_generator_of_ones_own() -> None:
    first, second = (filled("kaiming_normal_", (3, 4), generator=cr.random.Generator(7)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, filled("kaiming_normal_", (3, 4), generator=cr.random.Generator(8)))


def test_layers_draw_from_the_seed() -> None:
    states = []
    for seed in (1, 1, 2):
        cr.random.manual_seed(seed)
        states.append(nn.Linear(3, 2).state_dict())
    np.testing.assert_array_equal(states[0]["weight"], states[1]["weight"])
    assert not np.array_equal(states[0]["weight"], states[2]["weight"])


def test_weights_without_elements() -> None:
    for name in ("xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_"):
        assert filled(name, (0, 0)).shape == (0, 0)


BOUNDS: list[tuple[nn.Module, dict[str, float]]] = [
    (nn.Linear(100, 50), {"weight": 0.1, "bias": 0.1}),
    (nn.Bilinear(100, 3, 50), {"weight": 0.1, "bias": 0.1}),
    (nn.Conv1d(20, 50, 5), {"weight": 0.1, "bias": 0.1}),
    (nn.Conv2d(8, 50, 5, groups=2), {"weight": 0.1, "bias": 0.1}),
    (nn.Conv3d(2, 50, (2, 5, 5)), {"weight": 0.1, "bias": 0.1}),
    (nn.ConvTranspose2d(50, 4, 5), {"weight": 0.1, "bias": 0.1}),  # PyTorch takes the fan-in from axis 1 here too
]


@pytest.mark.parametrize(("layer", "bounds"), BOUNDS, ids=lambda each: str(each)[:30])
def test_layers_start_uniform_within_one_over_the_root_of_the_fan_in(
    layer: nn.Module, bounds: dict[str, float]
) -> None:
    for name, bound in bounds.items():
        drawn = np.abs(layer.get_parameter(name).numpy())
        assert drawn.max() <= bound
        assert drawn.max() > (0.9 if drawn.size > 40 else 0.3) * bound


def test_the_other_layers_start_as_pytorchs() -> None:
    cr.random.manual_seed(0)
    assert nn.Embedding(300, 40).weight.numpy().std() == pytest.approx(1, rel=0.03)
    assert nn.PReLU(3).weight.tolist() == [0.25] * 3
    for layer in (nn.BatchNorm2d(3), nn.LayerNorm(3), nn.GroupNorm(1, 3), nn.InstanceNorm1d(3, affine=True)):
        assert (layer.weight.tolist(), layer.bias.tolist()) == ([1] * 3, [0] * 3)


def test_what_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="relu"):
        nn.init.calculate_gain("relus")
    with pytest.raises(ShapeError, match="two axes"):
        filled("xavier_uniform_", (3,))
