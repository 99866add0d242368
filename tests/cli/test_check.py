"""`chainrule check`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import Result

from chainrule.nn import functional

Run = Callable[..., Result]


def test_a_network_by_its_sizes(run: Run) -> None:
    result = run("check", "3-4-2")
    assert result.exit_code == 0, result.output
    assert [line.split()[0] for line in result.stdout.splitlines() if "weight" in line and " x " in line] == [
        "0.weight",
        "2.weight",
    ]
    assert "All agree" in result.stdout


def test_first_order_alone_of_a_network_with_one_output(run: Run) -> None:
    result = run("check", "3-1", "--order", "1")
    assert result.exit_code == 0 and "2nd order" not in result.stdout


def test_a_convolutional_network(run: Run) -> None:
    result = run("check", "--order", "1")
    assert result.exit_code == 0 and "4 x 1 x 5 x 5" in result.stdout


def test_a_wrong_gradient_is_found(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    right = functional.cross_entropy

    def wrong(outputs: object, targets: object) -> object:
        import chainrule as cr

        return right(outputs, targets) * cr.stop_gradient(right(outputs, targets))  # type: ignore[arg-type]

    monkeypatch.setattr(functional, "cross_entropy", wrong)
    result = run("check", "3-2")
    assert result.exit_code == 2
    assert "is wrong: expected" in result.stderr and "Traceback" not in result.output


def test_no_such_network(run: Run) -> None:
    result = run("check", "runs/digits-1")
    assert result.exit_code == 2 and "no run directory runs/digits-1" in result.stderr
