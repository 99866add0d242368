"""One prediction explained: against the delta rule written out in NumPy, and against central differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import ConfigurationError, DataError

Array = np.ndarray[Any, Any]


def sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def classic() -> nn.Module:
    cr.random.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Sigmoid(), nn.Linear(4, 2), nn.Sigmoid())


def test_the_generalised_delta_rule_of_1986() -> None:
    """E = sum (t - o)^2 / 2 there; mse_loss is the mean, so with two outputs the two are the same."""
    model, x, t, lr = classic(), np.array([0.2, -1.0, 0.7]), np.array([1.0, 0.0]), 0.3
    found = cr.explain.sample(model, "mse", x, t, lr=lr)
    state = {name: each.astype(np.float64) for name, each in model.state_dict().items()}
    hidden = sigmoid(state["0.weight"] @ x + state["0.bias"])
    output = sigmoid(state["2.weight"] @ hidden + state["2.bias"])
    delta_output = (t - output) * output * (1 - output)
    delta_hidden = hidden * (1 - hidden) * (state["2.weight"].T @ delta_output)
    layers = {layer.path: layer for layer in found.layers}
    assert [layer.kind for layer in found.layers] == ["Linear", "Sigmoid", "Linear", "Sigmoid"]
    for path, delta in (("2", delta_output), ("0", delta_hidden)):
        cotangent = layers[path].cotangent
        assert cotangent is not None
        np.testing.assert_allclose(-cotangent, delta, rtol=1e-12)
    np.testing.assert_allclose(-found.gradients["2.weight"], np.outer(delta_output, hidden), rtol=1e-12)
    np.testing.assert_allclose(-found.gradients["0.weight"], np.outer(delta_hidden, x), rtol=1e-12)
    length = np.linalg.norm(delta_output) * np.linalg.norm(hidden)
    assert found.layer_norms["2.weight"] == pytest.approx(length, rel=1e-12)
    local = layers["1"].local
    assert local is not None
    np.testing.assert_allclose(local, hidden * (1 - hidden), rtol=1e-12)
    moved = {name: state[name] - lr * found.gradients[name] for name in state}
    after = sigmoid(moved["2.weight"] @ sigmoid(moved["0.weight"] @ x + moved["0.bias"]) + moved["2.bias"])
    assert found.loss_after == pytest.approx(((t - after) ** 2).mean(), rel=1e-12)
    for change in found.changes:
        assert change.cotangent is not None and change.activation is not None
        assert change.gradient == pytest.approx(change.cotangent * change.activation, rel=1e-12)
        assert change.change == pytest.approx(-lr * change.gradient)
    sizes = [abs(change.gradient) for change in found.changes]
    assert sizes == sorted(sizes, reverse=True) and len(sizes) == 10


def test_a_convolution_against_central_differences() -> None:
    cr.random.manual_seed(1)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(8, 3))
    image = np.random.default_rng(0).normal(size=(1, 4, 4))
    found = cr.explain.sample(model, "cross_entropy", image, 2, classes=("a", "b", "c"), row=7)
    model.double()
    weight = model.get_parameter("0.weight")
    start, step = weight.numpy().copy(), 1e-6
    for index in np.ndindex(2, 1, 3, 3):
        ends = []
        for side in (step, -step):
            moved = start.copy()
            moved[index] += side
            weight.assign(moved)
            ends.append(nn.functional.cross_entropy(model(cr.tensor(image[None])), cr.tensor([2])).item())
        assert found.gradients["0.weight"][index] == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-8)
    assert found.target_name == "c" and found.row == 7
    assert "Example 7: wanted c" in str(found)


def test_the_network_stays_as_it_is() -> None:
    cr.random.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Linear(3, 1))
    before, numbers = model.state_dict(), cr.random.default_generator.get_state()
    cr.explain.sample(model, "mse", [1.0, 2.0], [0.0])
    assert all(model.state_dict()[name].tobytes() == each.tobytes() for name, each in before.items())
    assert cr.random.default_generator.get_state().tobytes() == numbers.tobytes()
    assert all(module.training for module in model.modules())


def test_text_shows_the_numbers() -> None:
    text = str(cr.explain.sample(classic(), "mse", [0.0, 1.0, 1.0], [1.0, 0.0], lr=0.5, top=2))
    assert "delta_j = f'(net_j) sum_k delta_k w_kj" in text
    assert text.count(" · delta ") == 2


def test_mistakes_are_told() -> None:
    with pytest.raises(ConfigurationError, match="not negative"):
        cr.explain.sample(classic(), "mse", [0.0, 1.0, 1.0], [1.0, 0.0], lr=-1)
    with pytest.raises(DataError, match="numbers"):
        cr.explain.sample(classic(), "mse", ["a"], [1.0])


def test_the_terms_of_a_weight_of_a_convolution() -> None:
    """Against the convolution written out in loops: stride, padding, dilation and groups."""
    cr.random.manual_seed(1)
    layer = nn.Conv2d(2, 4, 3, stride=2, padding=1, dilation=2, groups=2)
    model = nn.Sequential(layer, nn.Flatten(), nn.Linear(4 * 9, 2))
    image = np.random.default_rng(0).normal(size=(2, 8, 8))
    found = cr.explain.sample(model, "cross_entropy", image, 1, top=1000)
    (path,) = [each for each in found.layers if each.kind == "Conv2d"]
    assert path.cotangent is not None and path.cotangent.shape == (4, 3, 3)
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1)))
    changes = [each for each in found.changes if each.parameter == "0.weight" and each.places]
    assert len(changes) == 36
    for change in changes:
        out, _, row, column = change.index
        terms = {
            (y, x): (path.cotangent[out, y, x], padded[out // 2, 2 * y + 2 * row, 2 * x + 2 * column])
            for y in range(3)
            for x in range(3)
        }
        assert sum(a * b for a, b in terms.values()) == pytest.approx(change.gradient, rel=1e-9)
        assert change.place_count == 9 and len(change.places) == 5
        for each in change.places:
            assert (each.cotangent, each.activation) == pytest.approx(terms[each.output])
            assert each.input == (2 * each.output[0] + 2 * row - 1, 2 * each.output[1] + 2 * column - 1)
        sizes = sorted((abs(a * b) for a, b in terms.values()), reverse=True)
        assert [abs(e.cotangent * e.activation) for e in change.places] == pytest.approx(sizes[:5])
    assert "is a sum over 9 places" in str(found)
