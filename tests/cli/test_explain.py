"""`chainrule explain`, as a user calls it: its figures add up, and agree with central differences."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli.contents import read_contents
from chainrule.explain import FlowRecorder


@pytest.fixture
def trained(run, houses):
    assert run("train", houses, "--target", "price", "--epochs", "4", "--hidden", "4").exit_code == 0
    return "runs/houses-1"


def test_credits_of_layers_add_up_to_the_change_of_the_loss(run, trained):
    answer = run("explain", trained)
    assert answer.exit_code == 0, answer.output
    line = next(each for each in answer.output.splitlines() if "a change of" in each)
    before, after, change = map(float, re.search(r"([\d.e+-]+) to ([\d.e+-]+), a change of ([\d.e+-]+)", line).groups())
    assert change == pytest.approx(after - before, rel=1e-3)
    rows = [
        each.split() for each in answer.output.splitlines() if re.search(r" Linear .* [+-][\d.e+-]+ +-?[\d.]+%", each)
    ]
    assert len(rows) == 2
    assert sum(float(row[-2]) for row in rows) == pytest.approx(change, rel=1e-3)
    assert "left over" in answer.output and "Does the error get through?" in answer.output


def test_one_example_is_worked_out_by_the_chain_rule(run, trained):
    answer = run("explain", trained, "--sample", "3")
    assert answer.exit_code == 0, answer.output
    contents = read_contents(Path(trained))
    kept = contents.trained
    network = kept.model.double()
    x, y = (np.asarray(each[3:4], float) for each in (kept.judged.inputs, kept.judged.targets))
    loss = float(np.mean((network(x).numpy() - y) ** 2))
    assert f"{loss:.3g}"[:4] in answer.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(("runs/none",), "runs/none"), (("--sample", "999"), "numbered from 0"), (("--sample", "-1"), "--sample")],
)
def test_what_is_wrong_is_told_in_a_line(run, trained, arguments, says):
    answer = run("explain", *(arguments if arguments[0] == "runs/none" else (trained, *arguments)))
    assert answer.exit_code == 2 and says in answer.output
    assert "Traceback" not in answer.output


def test_what_was_recorded_is_shown_and_changes_no_bit(run, houses, monkeypatch):
    """The run is stopped after its third epoch and resumed: the record is that of the whole run."""
    options = (houses, "--target", "price", "--epochs", "6", "--hidden", "4", "--patience", "0")
    assert run("train", *options, "--run", "plain").exit_code == 0
    assert run("train", *options, "--run", "kept", "--record", "credit,flow").exit_code == 0
    monkeypatch.setattr(FlowRecorder, "end_epoch", _stop_in_the_third)
    assert run("train", *options, "--run", "stopped", "--record", "credit,flow").exit_code != 0
    monkeypatch.undo()
    monkeypatch.chdir(houses.parent)
    assert run("train", "--resume", "stopped").exit_code == 0
    files = [Path(name, "model.safetensors").read_bytes() for name in ("plain", "kept", "stopped")]
    assert files[0] == files[1] == files[2]
    whole, resumed = (cr.explain.read_credit(name) for name in ("kept", "stopped"))
    assert len(whole.steps) == 12 and whole.relative_residual < 2e-6
    for name, weights in whole.weights.items():
        np.testing.assert_array_equal(resumed.weights[name], weights)
    assert cr.explain.read_flow("kept").rows == cr.explain.read_flow("stopped").rows
    assert cr.explain.read_credit("plain") is None
    answer = run("explain", "stopped")
    assert "Recorded while it trained" in answer.output


def _stop_in_the_third(self, row):
    if row["epoch"] == 3:
        raise KeyboardInterrupt


def test_event_files_need_their_package_before_a_run_is_begun(run, houses, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    answer = run("train", houses, "--target", "price", "--tensorboard", "logs", "--run", "made")
    assert answer.exit_code == 2 and "chainrule[tensorboard]" in answer.output
    assert not Path("made").exists()


def test_an_unknown_record_is_told(run, houses):
    answer = run("train", houses, "--target", "price", "--record", "credits")
    assert answer.exit_code == 2 and "credit" in answer.output and "Traceback" not in answer.output
