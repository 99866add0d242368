"""Credit against closed forms, against brute force with central differences, and adding up on networks of all kinds."""

from __future__ import annotations

import copy
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.errors import ConfigurationError, DataError
from chainrule.reports.probe import Probe, weights_of
from chainrule.reports.quadrature import fitted_weights

Array = np.ndarray[Any, Any]

_spec = importlib.util.spec_from_file_location("networks", Path(__file__).with_name("networks.py"))
assert _spec is not None and _spec.loader is not None
networks = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(networks)


def trained(case: Any, steps: int, **options: Any) -> tuple[Any, cr.explain.Credit]:
    """The network after some steps of `fit`, and the credit recorded."""
    options = {"probe": (case.inputs, case.targets), **options}
    recorder = cr.explain.CreditRecorder(**options)
    fit(case, steps, recorders=[recorder])
    return case.model, recorder.credit


def fit(case: Any, steps: int, **options: Any) -> None:
    optimizer = optim.SGD(case.model.parameters(), lr=case.lr)
    settings = {"mode": "batch", "progress": False, "compile": False, **options}
    cr.train.fit(case.model, optimizer, case.loss, (case.inputs, case.targets), epochs=steps, **settings)


def test_a_quadratic_loss_by_hand() -> None:
    """(w·x - t)^2 has a linear gradient along a line, so a weight's credit is its mean gradient times its movement."""
    draw = np.random.default_rng(0)
    x, t = draw.normal(size=(7, 3)), draw.normal(size=(7, 1))
    before, after = draw.normal(size=(1, 3)), draw.normal(size=(1, 3))
    found = cr.explain.credit(nn.Linear(3, 1, bias=False), "mse", (x, t), {"weight": before}, {"weight": after})
    mean_error = x @ ((before + after) / 2).T - t  # (7, 1)
    expected = 2 * (mean_error * x).mean(axis=0) * (after - before)
    np.testing.assert_allclose(found.weights["weight"], expected, rtol=1e-12)
    assert found.steps.evaluations.tolist() == [3] and found.steps.converged.all()


def test_every_weight_against_brute_force() -> None:
    """The integral of central differences of the loss at 400 places of the way, for each weight of a small network."""
    case = networks.xor()
    model = copy.deepcopy(case.model).double()
    before, after = weights_of(model), weights_of(model) + np.random.default_rng(1).normal(size=13) * 0.3

    def loss(vector: Array) -> float:
        w, b, v, c = np.split(vector, [6, 9, 12])
        z = np.tanh(case.inputs @ w.reshape(3, 2).T + b) @ v.reshape(1, 3).T + c
        return float((np.logaddexp(0, z) - case.targets * z).mean())

    places, step = (np.arange(400) + 0.5) / 400, 1e-5
    expected = np.zeros(13)
    for weight in range(13):
        aside = np.eye(13)[weight] * step
        slopes = [loss(p + aside) - loss(p - aside) for p in (before + a * (after - before) for a in places)]
        expected[weight] = np.mean(slopes) / (2 * step) * (after - before)[weight]
    shapes = {name: each.shape for name, each in model.named_parameters()}
    states = [
        {n: part.reshape(s) for (n, s), part in zip(shapes.items(), np.split(v, [6, 9, 12]))} for v in (before, after)
    ]
    found = cr.explain.credit(model, case.loss, (case.inputs, case.targets), *states)
    given = np.concatenate([each.ravel() for each in found.weights.values()])
    np.testing.assert_allclose(given, expected, atol=2e-6 * np.abs(expected).max())
    assert found.change == pytest.approx(loss(after) - loss(before), rel=1e-12)


@pytest.mark.parametrize("name", networks.CASES)
def test_credits_add_up(name: str) -> None:
    case = networks.CASES[name]()
    model, credit = trained(case, 2)
    assert credit.relative_residual < 1e-6 and credit.steps.converged.all()
    for residual in (credit.steps.residual, credit.steps.raw_residual):  # nothing is fitted
        assert (np.abs(residual) <= 1.01e-6 * np.abs(credit.steps.change) + 1e-14).all()
    measured = cr.train.evaluate(copy.deepcopy(model).double(), (case.inputs, case.targets), case.loss)["loss"]
    assert credit.loss_after == pytest.approx(measured, rel=1e-6)
    assert credit.loss_after < credit.loss_before
    by_epoch = {name: each.sum(axis=0) for name, each in credit.by_epoch.items()}
    for tensor, weights in credit.weights.items():
        np.testing.assert_allclose(by_epoch[tensor], weights, atol=1e-12)
    assert sum(credit.by_layer().values()) == pytest.approx(credit.total, rel=1e-9)
    np.testing.assert_allclose(credit.steps.credit.sum(), credit.total, rtol=1e-9)


@pytest.mark.parametrize("name", ["xor", "lstm", "transformer"])
def test_smooth_networks_need_no_fitting(name: str) -> None:
    _, credit = trained(networks.CASES[name](), 8, budget=33)
    assert credit.steps.converged.all()
    assert credit.relative_residual < 1e-6


def test_a_small_budget_is_kept_and_its_residual_told() -> None:
    _, credit = trained(networks.digits(4, 24), 2, budget=9)
    assert credit.steps.evaluations.max() <= 9 and not credit.steps.converged.all()
    assert 1e-6 < credit.relative_residual < 1e-1
    np.testing.assert_allclose(credit.steps.residual, credit.steps.raw_residual, rtol=1e-8)
    _, more = trained(networks.digits(4, 24), 2, budget=24)
    assert more.steps.evaluations.max() <= 24
    assert more.relative_residual < credit.relative_residual


def test_one_kink_by_hand() -> None:
    """E = relu(w): from -1 to 2 the weight does nothing for a third of the way, then all of what happens."""
    net = nn.Sequential(nn.Linear(1, 1, bias=False), nn.ReLU())
    data = np.ones((1, 1)), np.zeros((1, 1))
    found = cr.explain.credit(net, "l1", data, {"0.weight": [[-1.0]]}, {"0.weight": [[2.0]]})
    assert found.change == 2.0 and found.weights["0.weight"].item() == pytest.approx(2.0, rel=1e-6)
    assert found.steps.converged.all()
    few = cr.explain.credit(net, "l1", data, {"0.weight": [[-1.0]]}, {"0.weight": [[2.0]]}, budget=3)
    assert few.weights["0.weight"].item() == pytest.approx(3 * 5 / 6)  # Simpson: 0, 1, 1
    assert few.residual == pytest.approx(few.total - 2.0) and not few.steps.converged.any()


def test_single_weights_of_networks_with_kinks_are_right() -> None:
    """Against a mean over 120 places of the path, which knows nothing of kinks: each weight, not only their sum."""
    case = networks.digits(4, 24)
    before = case.model.state_dict()
    fit(case, 1)
    data = (case.inputs, case.targets)
    found = cr.explain.credit(case.model, case.loss, data, before, by_class=False)
    probe = Probe(case.model, nn.functional.cross_entropy, *data, [np.arange(24)], compile=False)
    start = np.concatenate([before[name].ravel() for name in found.names]).astype(np.float64)
    way = weights_of(case.model) - start
    places = (np.arange(120) + 0.5) / 120
    mean = sum(probe.at(start + place * way).gradients[0] for place in places) / 120
    given = np.concatenate([found.weights[name].ravel() for name in found.names])
    errors = np.abs(given - mean * way)
    assert errors.sum() < 6e-3 * np.abs(given).sum()


def test_fitting_is_asked_for_and_keeps_the_raw_residual() -> None:
    case = networks.digits(4, 24)
    before = case.model.state_dict()
    fit(case, 1)
    data = (case.inputs, case.targets)
    exact = cr.explain.credit(case.model, case.loss, data, before).weights["1.weight"]
    few = cr.explain.credit(case.model, case.loss, data, before, budget=9, fit=True)
    assert few.relative_residual < 1e-10 and not few.steps.converged.any()
    assert abs(few.steps.raw_residual[0]) > 1e-6 * abs(few.change)
    assert np.abs(few.weights["1.weight"] - exact).sum() < 0.05 * np.abs(exact).sum()


def test_classes_and_samples_add_up() -> None:
    case = networks.digits(8, 20)
    _, credit = trained(case, 2, by_sample=True, budget=9)
    assert credit.samples is not None and credit.samples.shape == (20, 4)
    assert credit.samples.sum() == pytest.approx(credit.total, rel=1e-9)
    classes = {str(each): credit.samples[case.targets == each].sum() for each in np.unique(case.targets)}
    assert credit.by_class() == pytest.approx(classes, rel=1e-9)
    _, by_class = trained(networks.digits(8, 20), 2, budget=9)
    assert by_class.by_class() == pytest.approx(classes, rel=0.05)  # other nodes, where budgets are small


def test_each_sample_s_credit_is_its_own_change_of_loss() -> None:
    case = networks.xor()
    before = copy.deepcopy(case.model)
    _, credit = trained(case, 1, by_sample=True)
    for row in range(4):
        data = (case.inputs[row : row + 1], case.targets[row : row + 1])
        ends = [cr.train.evaluate(copy.deepcopy(m).double(), data, case.loss)["loss"] for m in (before, case.model)]
        assert credit.samples is not None
        assert 4 * credit.samples[row].sum() == pytest.approx(ends[1] - ends[0], rel=1e-5)


def test_spans_of_several_steps() -> None:
    _, credit = trained(networks.xor(), 7, every=3)
    assert credit.steps.first.tolist() == [0, 3] and credit.steps.last.tolist() == [3, 6]
    _, each = trained(networks.xor(), 6)
    assert credit.change == pytest.approx(each.change, rel=1e-9)
    assert credit.cost == pytest.approx(credit.steps.evaluations.sum() / 6)


def test_running_statistics_have_their_share() -> None:
    _, credit = trained(networks.convolution(), 2, budget=3)
    assert dict(zip(credit.names, credit.trained))["1.running_mean"] is False
    assert abs(credit.weights["1.running_mean"].sum()) > 1e-6


def test_what_did_not_move_did_nothing() -> None:
    case = networks.xor()
    case.model[0].requires_grad_(False)
    _, credit = trained(case, 2)
    assert not credit.weights["0.weight"].any()
    assert credit.steps.helped[:, 0].sum() == credit.steps.hurt[:, 0].sum() == 0
    assert credit.weights["2.weight"].any()


def test_native_and_eager_gradients_agree() -> None:
    found = [trained(networks.xor(), 2, compile=native)[1] for native in (False, True)]
    for name, weights in found[0].weights.items():
        np.testing.assert_allclose(found[1].weights[name], weights, rtol=1e-7, atol=1e-12)


def test_fitted_weights_meet_the_changes() -> None:
    weights, slopes = np.array([1 / 6, 4 / 6, 1 / 6]), np.array([[1.0, 5.0], [2.0, 5.0], [4.0, 5.0]])
    fitted = fitted_weights(weights, slopes, np.array([2.3, 7.0]))
    assert (fitted * slopes).sum(axis=0)[0] == pytest.approx(2.3)
    np.testing.assert_allclose(fitted.sum(axis=0), 1.0)
    np.testing.assert_array_equal(fitted[:, 1], weights)  # slopes that do not differ can't be fitted


def test_mistakes_are_told() -> None:
    case = networks.xor()
    data = (case.inputs, case.targets)
    with pytest.raises(ConfigurationError, match="before="):
        cr.explain.credit(case.model, case.loss, data)
    with pytest.raises(ConfigurationError, match="class indices"):
        cr.explain.credit(case.model, case.loss, data, case.model, by_class=True)
    with pytest.raises(DataError, match=r"0\.weight is \(3, 2\)"):
        cr.explain.credit(case.model, case.loss, data, {"0.weight": np.zeros((1, 1))})
    with pytest.raises(ConfigurationError, match="recorded nothing"):
        _ = cr.explain.CreditRecorder().credit
