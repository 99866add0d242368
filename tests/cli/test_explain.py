"""`chainrule explain`, as a user calls it: its figures add up, and agree with central differences."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from chainrule.cli.contents import read_contents


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
