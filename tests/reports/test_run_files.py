"""What recorders keep is read back to the bit."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from chainrule.errors import CheckpointError
from chainrule.reports.credit_record import Credit, CreditSteps
from chainrule.reports.flow_record import FlowRow
from chainrule.reports.run_files import read_credit, read_flow_rows, write_credit, write_flow


def example_credit() -> Credit:
    draw = np.random.default_rng(0)
    floats = {
        "loss_before": (3,),
        "loss_after": (3,),
        "residual": (3,),
        "raw_residual": (3,),
        "credit": (3, 2),
        "by_class": (3, 2, 2),
    }
    counts = {"first": (3,), "last": (3,), "epoch": (3,), "evaluations": (3,), "helped": (3, 2), "hurt": (3, 2)}
    rows = {name: draw.normal(size=shape) for name, shape in floats.items()}
    rows |= {name: draw.integers(0, 9, shape) for name, shape in counts.items()}
    steps = CreditSteps(**rows, converged=np.array([True, False, True]))  # type: ignore[arg-type]
    weights = {"0.weight": draw.normal(size=(4, 3)), "0.bias": draw.normal(size=4)}
    kinds = ("0", "0"), ("Linear", "Linear")
    return Credit(("0.weight", "0.bias"), (True, True), *kinds, weights, steps, 5, 1e-6, None, ("a", "b"))


def test_a_credit_comes_back_to_the_bit(tmp_path: Path) -> None:
    assert read_credit(tmp_path) is None
    kept = example_credit()
    write_credit(tmp_path, kept)
    found = read_credit(tmp_path)
    assert found is not None and (found.names, found.classes, found.trained) == (kept.names, kept.classes, kept.trained)
    assert (found.gradient_cost, found.samples, found.probe_size) == (None, None, 5)
    for each in fields(CreditSteps):
        np.testing.assert_array_equal(getattr(found.steps, each.name), getattr(kept.steps, each.name))
    for name, weights in kept.weights.items():
        np.testing.assert_array_equal(found.weights[name], weights)


def test_sums_of_a_credit() -> None:
    credit = example_credit()
    assert credit.total == pytest.approx(sum(each.sum() for each in credit.weights.values()), rel=1e-14)
    assert credit.change == pytest.approx((credit.steps.loss_after - credit.steps.loss_before).sum(), rel=1e-14)
    units = credit.weights["0.weight"].sum(axis=1) + credit.weights["0.bias"]
    np.testing.assert_allclose(credit.by_neuron("0"), units, rtol=1e-14)
    assert credit.by_layer() == {"0": pytest.approx(credit.total)}
    np.testing.assert_allclose(credit.helped_share, credit.steps.helped.sum(axis=1) / 16)


def test_flow_rows_come_back(tmp_path: Path) -> None:
    rows = (FlowRow(0, 1, "0", "Linear", 0.1, 1 / 3), FlowRow(10, 2, "", "Tiny", units=3, dead_units=0))
    assert read_flow_rows(tmp_path) is None
    write_flow(tmp_path, rows)
    assert read_flow_rows(tmp_path) == rows


def test_damage_is_told(tmp_path: Path) -> None:
    (tmp_path / "flow.csv").write_text("step,epoch\n1,none\n")
    with pytest.raises(CheckpointError, match="damaged"):
        read_flow_rows(tmp_path)
