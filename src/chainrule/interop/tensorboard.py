"""TensorBoard: the figures of a training as event files, for the dashboards people already have."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import missing_dependency


class TensorBoard:
    """A recorder for `fit(recorders=[...])`: the loss of steps, and all figures of epochs.

    directory: where event files go; look at them with `tensorboard --logdir DIRECTORY`. every: the loss of each so many
    steps is written (each epoch's figures always are). Needs tensorboardX: pip install 'chainrule[tensorboard]'.
    Raises MissingDependencyError where it is not installed.
    """

    name = "tensorboard"

    def __init__(self, directory: str | os.PathLike[str], every: int = 1) -> None:
        self.directory, self.every = Path(directory), max(1, every)
        self._writer = _writer(self.directory)

    def begin(self, run: Any, step: int) -> None:
        """Nothing to prepare."""

    def next_look(self, step: int) -> int | None:
        """It never asks for a look: it is told."""
        return None

    def look(self, step: int, epoch: int) -> None:
        """Never called."""

    def losses(self, step: int, epoch: int, losses: Sequence[float]) -> None:
        """Write the losses of the steps up to `step`."""
        first = step - len(losses) + 1
        for place, loss in enumerate(losses, first):
            if place % self.every == 0:
                self._writer.add_scalar("step/loss", loss, place)

    def end_epoch(self, row: Mapping[str, Any]) -> None:
        """Write an epoch's figures, at its last step."""
        for name, figure in row.items():
            if name not in ("epoch", "step"):
                self._writer.add_scalar(f"epoch/{name}", float(figure), int(row["step"]))
        self._writer.flush()

    def save(self) -> None:
        """Make sure that all is on the disk."""
        self._writer.flush()

    def state_dict(self) -> dict[str, Any]:
        """Nothing: event files are added to."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Nothing to restore."""


def _writer(directory: Path) -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise missing_dependency("tensorboardX", "writing event files for TensorBoard", "tensorboard") from error
    return SummaryWriter(str(directory))
