"""Progress as lines: which epochs have one, how they are aligned, that a file gets no control codes."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from chainrule.cli import progress as module
from chainrule.cli.progress import TrainingProgress

HEADINGS = {"loss": "loss", "accuracy": "accuracy", "val_loss": "val. loss", "val_accuracy": "val. accuracy"}


def _shown(epochs: int, stop_after: int | None = None, terminal: bool = False) -> str:
    file = io.StringIO()
    progress = TrainingProgress(Console(file=file, width=80, force_terminal=terminal), HEADINGS)
    for epoch in range(1, (stop_after or epochs) + 1):
        progress.begin_epoch(epoch, epochs, 2, 0)
        for done in (1, 2):
            progress.batch(done, {"loss": 0.5})
        progress.end_epoch({"epoch": epoch, "loss": 0.25, "accuracy": 0.5, "val_loss": float("nan"), "val_accuracy": 1})
    progress.close()
    return file.getvalue()


def test_lines_stand_under_their_headings_and_fit_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: 7.0))
    heading, line = _shown(1).splitlines()[1:]
    assert line.split() == ["1", "0.2500", "50.0", "%", "nan", "100.0", "%", "0.0", "s"]
    for cell, title in (("0.2500", " loss"), ("50.0 %", " accuracy"), ("100.0 %", " val. accuracy"), ("0.0 s", "time")):
        assert line.index(cell) + len(cell) == heading.index(title) + len(title)
    assert len(heading) <= 80


@pytest.mark.parametrize(("epochs", "lines"), [(8, 8), (25, 25), (26, 14), (200, 21), (5000, 26)])
def test_many_epochs_have_few_lines(epochs: int, lines: int) -> None:
    assert len(_shown(epochs).splitlines()) == lines + 2


def test_the_last_epoch_of_a_run_that_stopped_early_has_a_line() -> None:
    assert _shown(200, stop_after=37).splitlines()[-1].split()[0] == "37"


def test_a_file_gets_no_control_codes_and_a_terminal_gets_a_bar() -> None:
    assert "\x1b" not in _shown(3)
    assert "\x1b" in _shown(3, terminal=True)
