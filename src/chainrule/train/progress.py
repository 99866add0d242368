"""What a run shows while it trains: a bar in a terminal, a line an epoch elsewhere, or nothing."""

from __future__ import annotations

import sys
import time
from typing import Any, Protocol

from ..errors import ConfigurationError


class Display(Protocol):
    """What the loop tells whoever shows the progress."""

    def begin_epoch(self, epoch: int, epochs: int, batches: int | None, done: int) -> None: ...

    def batch(self, done: int, figures: dict[str, float]) -> None: ...

    def end_epoch(self, row: dict[str, Any]) -> None: ...

    def close(self) -> None: ...


def figures_text(figures: dict[str, Any]) -> str:
    """`loss 0.1234  accuracy 0.981`: the figures of a row that people watch."""
    shown = {name: value for name, value in figures.items() if name not in ("epoch", "step", "seconds", "lr")}
    return "  ".join(f"{name} {value:.4f}" for name, value in shown.items())


def stopped_text(epoch: int, step: int, directory: str | None) -> str:
    """Where a signal ended a run, and how to go on."""
    keep = "with a run_directory a run is kept, and resume=True goes on"
    how = keep if directory is None else f"run_directory={directory!r} with resume=True goes on from there"
    return f"Interrupted in epoch {epoch}, after step {step}, whose weights the model has: {how}.\n"


class Silent:
    """Shows nothing."""

    def begin_epoch(self, epoch: int, epochs: int, batches: int | None, done: int) -> None:
        pass

    def batch(self, done: int, figures: dict[str, float]) -> None:
        pass

    def end_epoch(self, row: dict[str, Any]) -> None:
        pass

    def close(self) -> None:
        pass


class Lines(Silent):
    """One plain line an epoch, for logs."""

    def begin_epoch(self, epoch: int, epochs: int, batches: int | None, done: int) -> None:
        self.epochs = epochs

    def end_epoch(self, row: dict[str, Any]) -> None:
        text = f"epoch {row['epoch']}/{self.epochs}  {figures_text(row)}  ({row['seconds']:.1f} s)\n"
        sys.stderr.write(text)
        sys.stderr.flush()


class Bar(Lines):
    """A bar that moves with the batches, by rich."""

    interval = 0.1

    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(None), TextColumn("{task.fields[figures]}"))
        self.progress = Progress(*columns, TimeRemainingColumn(compact=True), transient=True)
        self.progress.start()
        self.task = self.progress.add_task("", figures="")
        self.last = 0.0

    def begin_epoch(self, epoch: int, epochs: int, batches: int | None, done: int) -> None:
        super().begin_epoch(epoch, epochs, batches, done)
        self.progress.reset(self.task, total=batches, completed=done, description=f"epoch {epoch}/{epochs}", figures="")

    def batch(self, done: int, figures: dict[str, float]) -> None:
        now = time.monotonic()
        if now - self.last >= self.interval:
            self.last = now
            self.progress.update(self.task, completed=done, figures=figures_text(figures))

    def end_epoch(self, row: dict[str, Any]) -> None:
        self.progress.console.print(f"epoch {row['epoch']}/{self.epochs}  {figures_text(row)}", highlight=False)

    def close(self) -> None:
        self.progress.stop()


def display_for(progress: Any) -> Display:
    """From True (a bar in a terminal, lines elsewhere), False, or a Display."""
    if progress is False or progress is None:
        return Silent()
    if progress is True:
        return Bar() if sys.stderr.isatty() and sys.stdout.isatty() else Lines()
    if not all(hasattr(progress, method) for method in ("begin_epoch", "batch", "end_epoch", "close")):
        raise ConfigurationError(f"progress is True, False, or a display with the methods of Silent, not {progress!r}")
    display: Display = progress
    return display
