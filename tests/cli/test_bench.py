"""chainrule bench: a row for each network, and the work it counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule import nn
from chainrule.cli.bench import _workload
from chainrule.cli.bench_steps import Workload, _examples, _step, measure
from chainrule.cli.main import chainrule as command
from chainrule.cli.networks import dense_spec
from chainrule.cli.settings import Settings
from chainrule.compiler.machine.peak import peak
from chainrule.compiler.planning.work import operations
from chainrule.errors import ConfigurationError
from chainrule.passes import run_passes


def test_a_row_for_each_network() -> None:
    shown = CliRunner().invoke(command, ["bench", "2-3-1", "6-4-3", "--seconds", "0.01", "--threads", "2"])
    assert shown.exit_code == 0, shown.output
    rows = [line.split() for line in shown.output.splitlines() if line.split()[:1] in (["2-3-1"], ["6-4-3"])]
    assert [row[:3] for row in rows] == [["2-3-1", "4", "1"], ["6-4-3", "64", "1"]]
    assert all(0 <= float(row[row.index("%") - 1]) < 100 for row in rows)


def test_a_step_of_a_run_takes_as_many_examples_as_its_updates(tmp_path: Path) -> None:
    flowers = tmp_path / "flowers.csv"
    flowers.write_text("petal,kind\n" + "1,rose\n2,lily\n" * 20)
    made = str(tmp_path / "made")
    options = ["--target", "kind", "--hidden", "3", "--epochs", "1", "--batch-size", "4", "--accumulate", "3", "-q"]
    told = CliRunner().invoke(command, ["train", str(flowers), *options, "--run", made])
    assert told.exit_code == 0, told.output
    workload = _workload(made, None)
    measured = measure(workload, 1, 0.01)
    assert workload.batch == measured.examples == 12
    assert measured.work == measure(replace(workload, settings=replace(workload.settings, accumulate=1)), 1, 0.01).work


def test_all_settings_of_a_run_are_in_its_step() -> None:
    settings = Settings(1, "mini-batch", 8, "sgd", 0.1, "constant", 0.0, 0.0, 0.0, 0, 0, 0)
    workload = Workload("made", dense_spec("2-3-2"), settings, 8)

    def equations(**chosen: Any) -> int:
        asked = replace(workload, settings=replace(settings, **chosen))
        entry = _step(asked, 1).program_for_rows(_examples(asked), 8)
        return len(run_passes(entry.captured.graph).equations)

    plain = equations()
    assert equations(clip_norm=0.5) > plain < equations(class_weight="balanced")
    with pytest.raises(ConfigurationError, match="memory_limit is 100 B"):
        _step(replace(workload, settings=replace(settings, memory_limit="100 B")), 1).epoch(
            *_examples(workload), batch_size=8
        )


def test_what_is_no_network_is_told() -> None:
    shown = CliRunner().invoke(command, ["bench", "nothing"])
    assert shown.exit_code == 2 and "no run directory nothing" in shown.output


@pytest.mark.parametrize("padding", [0, 2])
def test_operations_are_those_of_products_and_of_taps_inside(padding: int) -> None:
    weight = np.zeros((5, 3, 4, 3), np.float32)

    def everything(x: np.ndarray, w: np.ndarray) -> object:
        return cr.grad(lambda x, w: nn.functional.conv2d(x, w, None, 2, padding).sum(), (0, 1))(x, w)

    image = np.zeros((2, 3, 7, 8), np.float32)
    forward = cr.trace(lambda x, w: nn.functional.conv2d(x, w, None, 2, padding))(image, weight)
    ones = np.pad(np.ones((7, 8)), padding)
    met = sum(
        ones[i : i + 4, j : j + 3].sum() for i in range(0, ones.shape[0] - 3, 2) for j in range(0, ones.shape[1] - 2, 2)
    )
    assert operations(forward) == pytest.approx(2 * 2 * 3 * 5 * met)
    assert operations(cr.trace(everything)(image, weight)) == pytest.approx(3 * operations(forward))
    product = cr.trace(lambda a, b: cr.scan(lambda c, _: (c @ b, None), a, None, 3)[0])(
        np.ones((4, 5)), np.ones((5, 5))
    )
    assert operations(product) == 3 * 2 * 4 * 5 * 5


def test_the_peak_is_that_of_a_processor() -> None:
    assert 1e8 < peak(1, 0.001) < 1e12
