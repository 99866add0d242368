"""Weights that are computed: PyTorch's names and values, gradients, compiled training, copies, and back again."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.errors import ConfigurationError, ShapeError
from chainrule.nn.utils.parametrizations import spectral_norm, weight_norm
from chainrule.nn.utils.parametrize import is_parametrized, register_parametrization, remove_parametrizations

X = np.random.default_rng(0).standard_normal((5, 4))


class Skew(nn.Module):
    def forward(self, x: Any) -> Any:
        return x - x.T


def made(norm: Any, **options: Any) -> Any:
    cr.random.manual_seed(0)
    return norm(nn.Linear(4, 3).double(), **options)


@pytest.mark.parametrize("dim", [0, 1, None])
def test_weight_norm_starts_as_it_was_and_keeps_its_length(dim: int | None) -> None:
    cr.random.manual_seed(0)
    plain = nn.Linear(4, 3).double().weight.numpy().copy()
    layer = made(weight_norm, dim=dim)
    np.testing.assert_allclose(layer.weight.numpy(), plain, rtol=1e-15)
    layer.parametrizations.weight.original1.assign(layer.parametrizations.weight.original1 * 7.0)
    np.testing.assert_allclose(layer.weight.numpy(), plain, rtol=1e-14)
    g = layer.parametrizations.weight.original0
    assert g.shape == {0: (3, 1), 1: (1, 4), None: ()}[dim]


@pytest.mark.parametrize("norm", [weight_norm, spectral_norm])
def test_gradients_are_central_differences(norm: Any) -> None:
    layer = nn.Sequential(made(norm), nn.Tanh()).eval()
    report = cr.check_gradients(lambda layer, x: (layer(x) ** 2).sum(), (layer, X), order=2)
    assert report.max_relative_error < 1e-5


def test_spectral_norm_has_largest_singular_value_one() -> None:
    layer = made(spectral_norm)
    for _ in range(30):
        layer(X)
    assert np.linalg.svd(layer.eval().weight.numpy(), compute_uv=False)[0] == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("norm", [weight_norm, spectral_norm])
def test_compiled_training_is_eager_training(norm: Any) -> None:
    found = []
    for run in (cr.compile, lambda each: each):
        layer = made(norm)
        optimizer = optim.SGD(layer.parameters(), lr=0.1)

        def step(x: Any, layer: Any = layer, optimizer: Any = optimizer) -> Any:
            loss = ((layer(x) - 1.0) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        chosen = run(step)
        found.append([chosen(X).item() for _ in range(5)] + list(layer.state_dict().values()))
    for ours, other in zip(*found):
        np.testing.assert_allclose(ours, other, rtol=1e-12)


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["weight_norm", "spectral_norm"])
def test_they_are_pytorchs(name: str) -> None:
    torch = pytest.importorskip("torch")
    theirs = getattr(torch.nn.utils.parametrizations, name)(torch.nn.Linear(4, 3).double())
    ours = made({"weight_norm": weight_norm, "spectral_norm": spectral_norm}[name])
    names = [key.replace("parametrizations.weight.0.", "") for key in theirs.state_dict()]
    assert sorted(names) == sorted(key.replace("parametrizations.weight.0.", "") for key in ours.state_dict())
    ours.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    tx = torch.tensor(X)
    for _ in range(2):
        (torch.sin(theirs(tx))).sum().backward()
        cr.sin(ours(X)).sum().backward()
    expected = dict(theirs.named_parameters())
    for path, mine in ours.named_parameters():
        np.testing.assert_allclose(mine.grad.numpy(), expected[path].grad.numpy(), rtol=1e-9, atol=1e-12)


def test_own_parametrizations_chain_and_copies_are_apart() -> None:
    layer = nn.Linear(3, 3, bias=False).double()
    original = layer.weight.numpy().copy()
    register_parametrization(layer, "weight", Skew())
    register_parametrization(layer, "weight", Skew())
    np.testing.assert_allclose(layer.weight.numpy(), 2 * (original - original.T))
    gradient = cr.grad(lambda layer: (layer.weight * np.arange(9.0).reshape(3, 3)).sum())(layer)
    np.testing.assert_allclose(
        gradient.parametrizations.weight.original.numpy(), 4 / 2 * -np.array([[0, 2, 4], [-2, 0, 2], [-4, -2, 0.0]])
    )
    other = copy.deepcopy(layer)
    other.parametrizations.weight.original.assign(np.zeros((3, 3)))
    assert layer.weight.numpy().any() and not other.weight.numpy().any()


def test_back_to_a_plain_parameter() -> None:
    layer = made(weight_norm)
    before, kind = layer.weight.numpy().copy(), type(layer)
    assert kind is not nn.Linear and is_parametrized(layer, "weight") and not is_parametrized(layer, "bias")
    assert type(remove_parametrizations(layer, "weight")) is nn.Linear
    assert sorted(layer.state_dict()) == ["bias", "weight"] and not is_parametrized(layer)
    np.testing.assert_array_equal(layer.weight.numpy(), before)


def test_what_does_not_fit_is_told() -> None:
    with pytest.raises(ConfigurationError, match="Linear has no parameter 'wieght'"):
        weight_norm(nn.Linear(2, 2), "wieght")
    with pytest.raises(ConfigurationError, match="n_power_iterations is an integer of at least 1"):
        spectral_norm(nn.Linear(2, 2), n_power_iterations=0)
    with pytest.raises(ConfigurationError, match=r"Linear.weight is not parametrized"):
        remove_parametrizations(nn.Linear(2, 2), "weight")

    class Longer(nn.Module):
        def forward(self, x: Any) -> Any:
            return cr.concat([x, x])

    with pytest.raises(ShapeError, match=r"must keep the shape \(2, 2\)"):
        register_parametrization(nn.Linear(2, 2), "weight", Longer())
