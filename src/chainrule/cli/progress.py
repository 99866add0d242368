"""A training run as it goes: a line for each epoch that stays, and in a terminal a bar below that moves."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from . import display

MOST_LINES = 25  # of epochs; with more of them, every second, fifth, tenth ... has a line
STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
EPOCH_WIDTH, WIDTH, TIME_WIDTH, BAR_WIDTH = 7, 15, 12, 20
INTERVAL = 0.1  # seconds between two movements of the bar
FEW = 10  # updates, after which the time left can be told


class TrainingProgress:
    """What `fit` tells as it goes, on the screen. `figures` maps the names of figures to column headings."""

    def __init__(self, screen: Console, figures: Mapping[str, str]) -> None:
        self.screen, self.headings = screen, dict(figures)
        self.started = self.moved = time.monotonic()
        self.epoch, self.epochs, self.batches, self.first = 0, 0, 0, -1
        self.waiting = ""  # the last epoch's line, where it has not been printed
        self.bar: Progress | None = None
        self.task = TaskID(0)

    @property
    def has_begun(self) -> bool:
        """Whether any epoch was begun or gone on with."""
        return self.first >= 0

    def begin_epoch(self, epoch: int, epochs: int, batches: int | None, done: int) -> None:
        """Epoch `epoch` (from 1) begins, or goes on after `done` updates."""
        self.epoch, self.epochs, self.batches = epoch, epochs, batches or 0
        if not self.has_begun:
            self.first = self._updates(done)
            self._begin()

    def batch(self, done: int, figures: Mapping[str, float]) -> None:
        """After update `done` of the epoch."""
        now = time.monotonic()
        if self.bar is None or now - self.moved < INTERVAL:
            return
        self.moved = now
        shown = "  ".join(f"{self.headings.get(name, name)} {_value(name, value)}" for name, value in figures.items())
        text = f"epoch {self.epoch}  {shown}{self._left(self._updates(done))}"
        self.bar.update(self.task, completed=self._updates(done), description=text)

    def end_epoch(self, row: Mapping[str, Any]) -> None:
        """The epoch's figures."""
        epoch = int(row["epoch"])
        cells = [_value(name, row[name]) if name in row else "" for name in self.headings]
        line = _aligned(str(epoch), cells, display.duration(time.monotonic() - self.started))
        is_shown = epoch in (1, self.epochs) or epoch % self._every() == 0
        if is_shown:
            self.screen.print(line)
        self.waiting = "" if is_shown else line

    def close(self) -> None:
        """The run is over, or was stopped."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None
        if self.waiting:
            self.screen.print(self.waiting)
            self.waiting = ""

    def _begin(self) -> None:
        self.screen.print()
        self.screen.print(Text(_aligned("epoch", self.headings.values(), "time"), style="bold"))
        if not self.screen.is_terminal or self.screen.quiet:
            return
        self.bar = Progress(
            TextColumn(" ", markup=False),
            BarColumn(BAR_WIDTH, style="dim", complete_style="cyan", finished_style="cyan"),
            TextColumn("{task.description}", markup=False, style="dim"),
            console=self.screen,
            transient=True,
        )
        self.task = self.bar.add_task("", total=self.epochs * self.batches or None)
        self.bar.start()

    def _updates(self, done: int) -> int:
        return (self.epoch - 1) * self.batches + done

    def _every(self) -> int:
        return next((step for step in STEPS if self.epochs / step <= MOST_LINES), STEPS[-1])

    def _left(self, updates: int) -> str:
        """The time left, by the speed so far."""
        made, total = updates - self.first, self.epochs * self.batches
        if made < FEW or not total:
            return ""
        seconds = (time.monotonic() - self.started) / made * (total - updates)
        return f"  {display.duration(seconds)} left"


def _aligned(epoch: str, figures: Iterable[str], elapsed: str) -> str:
    """One line, everything to the right of its column."""
    return epoch.rjust(EPOCH_WIDTH) + "".join(text.rjust(WIDTH) for text in figures) + elapsed.rjust(TIME_WIDTH)


def _value(name: str, value: float) -> str:
    if math.isnan(value):
        return "nan"
    if "accuracy" in name:
        return display.percent(value)
    return display.number(value) if "error" in name else f"{value:.4f}"
