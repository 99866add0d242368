"""chainrule bench: a row for each network, and the work it counts."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule import nn
from chainrule.cli.main import chainrule as command
from chainrule.compiler.peak import peak
from chainrule.compiler.work import operations


def test_a_row_for_each_network() -> None:
    shown = CliRunner().invoke(command, ["bench", "2-3-1", "6-4-3", "--seconds", "0.01", "--threads", "2"])
    assert shown.exit_code == 0, shown.output
    rows = [line.split() for line in shown.output.splitlines() if line.split()[:1] in (["2-3-1"], ["6-4-3"])]
    assert [row[:3] for row in rows] == [["2-3-1", "4", "1"], ["6-4-3", "64", "1"]]
    assert all(0 <= float(row[row.index("%") - 1]) < 100 for row in rows)


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
