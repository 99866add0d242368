"""Gradient flow: figures against NumPy, and the names of what is wrong on networks built to have it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.reports.flow_findings import findings
from chainrule.reports.flow_record import FlowRow

Array = np.ndarray[Any, Any]
DRAW = np.random.default_rng(0)
X, Y = DRAW.normal(size=(32, 6)).astype(np.float32), DRAW.normal(size=(32, 1)).astype(np.float32)


def deep(activation: Any, scale: float, layers: int = 12) -> nn.Module:
    cr.random.manual_seed(0)
    parts: list[nn.Module] = []
    for _ in range(layers):
        linear = nn.Linear(6, 6)
        linear.weight.assign(linear.weight.numpy() * np.float32(scale))
        parts += [linear, activation()]
    return nn.Sequential(*parts, nn.Linear(6, 1))


def problems(flow: cr.explain.Flow) -> set[str]:
    return {each.problem for each in flow.findings}


def test_figures_of_one_layer() -> None:
    cr.random.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 1))
    first, relu, last = cr.explain.flow(model, "mse", X, Y).rows
    w, b, v, c = (model.state_dict()[name] for name in ("0.weight", "0.bias", "2.weight", "2.bias"))
    net = X @ w.T + b
    error = 2 * (np.maximum(net, 0) @ v.T + c - Y)  # dE/d output of each example
    assert relu.zero_share == pytest.approx((net <= 0).mean())
    assert relu.units == 5 and relu.dead_units == (net <= 0).all(axis=0).sum()
    assert last.cotangent_size == pytest.approx(np.sqrt((error**2).mean()), rel=1e-5)
    assert first.cotangent_size == pytest.approx(np.sqrt(((error @ v * (net > 0)) ** 2).mean()), rel=1e-5)
    assert first.weight_norm == pytest.approx(np.sqrt((w**2).sum() + (b**2).sum()), rel=1e-6)
    gradient = (error @ v * (net > 0)).T @ X / 32
    bias = (error @ v * (net > 0)).mean(axis=0)
    assert first.gradient_norm == pytest.approx(np.sqrt((gradient**2).sum() + (bias**2).sum()), rel=1e-4)
    assert relu.weight_norm is None and first.saturated_share is None


def test_vanishing_and_exploding_gradients_are_named() -> None:
    assert "vanishing gradient" in problems(cr.explain.flow(deep(nn.Sigmoid, 1.0), "mse", X, Y))
    assert "exploding gradient" in problems(cr.explain.flow(deep(nn.Identity, 6.0), "mse", X, Y))
    assert not problems(cr.explain.flow(deep(nn.ReLU, 2.4, 2), "mse", X, Y))


def test_dead_and_saturated_units_are_named() -> None:
    dead = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1))
    dead[0].bias.assign(np.array([-100] * 3 + [0] * 5, np.float32))
    flow = cr.explain.flow(dead, "mse", X, Y)
    (finding,) = [each for each in flow.findings if each.problem == "dead units"]
    assert finding.layer == "1" and finding.what.startswith(("3 of 8", "4 of 8"))
    assert "saturated units" in problems(cr.explain.flow(deep(nn.Tanh, 40.0, 2), "mse", X, Y))


def test_updates_are_those_of_the_step() -> None:
    cr.random.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 1))
    before = {name: each.copy() for name, each in model.state_dict().items()}
    recorder = cr.explain.FlowRecorder(every=10, probe=8)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    cr.train.fit(model, optimizer, "mse", (X, Y), epochs=1, mode="batch", progress=False, recorders=[recorder])
    after = model.state_dict()
    (row,) = recorder.flow.of("2")
    moved = np.sqrt(sum(((after[n] - before[n]) ** 2).sum() for n in ("2.weight", "2.bias")))
    assert row.step == 1 and row.update_norm == pytest.approx(moved, rel=1e-5)
    assert row.update_ratio is not None and row.weight_norm is not None
    assert row.update_ratio == pytest.approx(moved / row.weight_norm, rel=1e-5)


def test_large_and_small_updates_and_what_is_not_finite() -> None:
    rows = [FlowRow(step, 1, "0", "Linear", weight_norm=1.0, update_ratio=0.2) for step in (1, 51)]
    assert [each.problem for each in findings(rows)] == ["large updates"]
    still = [FlowRow(step, 1, "0", "Linear", weight_norm=1.0, update_ratio=1e-9) for step in (1, 51)]
    assert [(each.problem, each.severity) for each in findings(still)] == [("small updates", "note")]
    broken = findings([FlowRow(1, 1, "0", "Linear", weight_norm=float("nan"))])
    assert broken[0].problem == "not finite" and "learning rate" in broken[0].advice
