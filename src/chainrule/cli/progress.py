"""A training run as it goes: a line for each epoch that stays, and in a terminal a bar below that moves."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from . import display

MOST_LINES = 25  # of epochs; with more of them, every second, fifth, tenth ... has a line
STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
WIDTHS = {"epoch": 7, "time": 10}
WIDTH = 13


class TrainingProgress:
    """Use as a context; call `batch` after each weight update and `epoch` at the end of each epoch."""

    def __init__(self, screen: Console, epochs: int, batches: int, measures: Mapping[str, str], done: int = 0) -> None:
        """`batches` are those of an epoch (0: unknown); `measures` maps names of measures to column headings.

        `done` counts the weight updates made before this one began, in a resumed run.
        """
        self.screen, self.epochs, self.batches, self.measures = screen, epochs, batches, dict(measures)
        self.started, self.done, self.updates = time.monotonic(), done, done
        self.last_line = ""
        self.every = next((step for step in STEPS if epochs / step <= MOST_LINES), STEPS[-1])
        self.bar: Progress | None = None
        self.task = TaskID(0)

    def __enter__(self) -> TrainingProgress:
        heads = ["epoch", *self.measures.values(), "time"]
        self.screen.print()
        self.screen.print(Text(_aligned(dict(zip(heads, heads))), style="bold"))
        if self.screen.is_terminal and not self.screen.quiet:
            self.bar = Progress(
                TextColumn(" ", markup=False),
                BarColumn(bar_width=28, style="dim", complete_style="cyan", finished_style="cyan"),
                TextColumn("{task.description}", markup=False, style="dim"),
                console=self.screen,
                transient=True,
            )
            self.task = self.bar.add_task("", total=self.epochs * self.batches or None)
            self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.stop()
        if self.last_line:
            self.screen.print(self.last_line)
            self.last_line = ""

    def batch(self, epoch: int, batch: int, measured: Mapping[str, float]) -> None:
        """After update `batch` (from 1) of epoch `epoch` (from 1)."""
        self.updates = (epoch - 1) * self.batches + batch
        if self.bar is None:
            return
        values = "  ".join(f"{self.measures.get(name, name)} {_value(name, value)}" for name, value in measured.items())
        text = f"epoch {epoch}  {values}{self._left()}"
        self.bar.update(self.task, completed=self.updates, description=text)

    def epoch(self, epoch: int, measured: Mapping[str, float]) -> None:
        """At the end of epoch `epoch` (from 1)."""
        elapsed = display.duration(time.monotonic() - self.started)
        cells = {name: _value(name, measured[name]) if name in measured else "" for name in self.measures}
        line = _aligned({"epoch": str(epoch), **cells, "time": elapsed})
        if epoch == 1 or epoch % self.every == 0 or epoch == self.epochs:
            self.screen.print(line)
            self.last_line = ""
        else:
            self.last_line = line

    def _left(self) -> str:
        total, made = self.epochs * self.batches, self.updates - self.done
        if made < 10 or not total:
            return ""
        seconds = (time.monotonic() - self.started) / made * (total - self.updates)
        return f"  {display.duration(seconds)} left"


def _aligned(cells: Mapping[str, str]) -> str:
    """One line of right-aligned cells; the heading's own width where it is longer than the usual one."""
    return "".join(text.rjust(WIDTHS.get(name, WIDTH)) for name, text in cells.items())


def _value(name: str, value: float) -> str:
    if math.isnan(value):
        return "nan"
    return display.percent(value) if "accuracy" in name else f"{value:.4f}"
