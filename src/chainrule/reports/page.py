"""`page`: a run as a page, from Python."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConfigurationError
from ..files import write_text
from ..nn import Module
from ..optim import Optimizer
from ..train.history import History
from ..train.run_directory import RunDirectory
from ..train.step import Loss, as_loss
from ..train.validate import as_pair
from .contents import Judged, RunContents, Trained
from .html.document import Document, inline
from .pages.curves import curves_section
from .run_page import FILE, run_document

COMMAND_FILE = "command.json"
"""What the command line keeps in its runs, from which all of a run can be opened again."""
COMMAND_READER = "chainrule.cli.contents"


@dataclass(frozen=True, eq=False)
class Page:
    """A page: in a notebook as it is, or `save` it as one file that needs nothing else."""

    document: Document
    path: Path | None = None

    def save(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Write it, by default as report.html in the run directory."""
        if path is None and self.path is None:
            raise ConfigurationError("this run has no directory: say where to save its page")
        target = Path(path) if path is not None else Path(str(self.path)) / FILE
        write_text(target, self.document.text())
        return target

    def _repr_html_(self) -> str:
        return inline(self.document.sections, self.document.title)


def page(
    run: str | os.PathLike[str] | History,
    model: Module | None = None,
    *,
    data: Any = None,
    test: Any = None,
    loss: str | Loss = "cross_entropy",
    optimizer: Optimizer | None = None,
    classes: Sequence[str] = (),
    batch_size: int = 64,
) -> Page:
    """All that is known of a run as a page.

    run: a run directory, or the History that `fit` gave. A run of the command line needs nothing more. For others give
    the `model` with its weights and the `data` (inputs, targets) it was trained on for the graph, the `test` data for
    confusion matrix and mistakes, the `optimizer` for memory and time of a step; `classes` names them.
    """
    if not isinstance(run, History) and model is None and (Path(run) / COMMAND_FILE).exists():
        reader = importlib.import_module(COMMAND_READER)  # lies above, and alone can open these
        contents: RunContents = reader.read_contents(Path(run))
        return Page(run_document(contents), Path(run))
    rows, config, directory = _history(run)
    trained = None
    if model is not None and data is not None:
        trained = _trained(model, as_pair(data, "data"), test, as_loss(loss), optimizer, classes, batch_size)
    title = f"Run {directory.name}" if directory else "A run"
    contents = RunContents(title, rows, config, directory=directory, trained=trained)
    return Page(run_document(contents), directory)


def _history(run: Any) -> tuple[list[Mapping[str, Any]], dict[str, Any], Path | None]:
    if isinstance(run, History):
        directory = Path(run.run_directory) if run.run_directory else None
        return list(run.rows), RunDirectory(directory).config() if directory else {}, directory
    directory = Path(run)
    config = RunDirectory(directory).config()
    return list(read_rows(directory)), config, directory


def read_rows(directory: Path) -> list[dict[str, Any]]:
    """The history of a run as it was last saved."""
    import csv

    file = RunDirectory(directory).metrics_file
    if not file.exists():
        return []
    with file.open(encoding="utf-8", newline="") as opened:
        return [
            {name: int(cell) if name in ("epoch", "step") else float(cell) for name, cell in row.items() if cell}
            for row in csv.DictReader(opened)
        ]


def _trained(
    model: Module,
    data: tuple[Any, Any],
    test: Any,
    loss: Loss,
    optimizer: Optimizer | None,
    classes: Sequence[str],
    batch_size: int,
) -> Trained:
    inputs, targets = data
    judged = None if test is None else Judged("Test", *as_pair(test, "test"), decode=_decode(targets))
    shape = inputs.shape[1:]
    return Trained(
        model,
        loss,
        (inputs, targets),
        judged,
        tuple(map(str, classes)),
        optimizer=None if optimizer is None else lambda _: optimizer,
        batch_size=min(batch_size, len(inputs)),
        image=shape if len(shape) == 3 else None,
    )


def _decode(targets: Any) -> Any:
    """Numbers to be predicted are their own units; classes have none."""
    if np.asarray(targets).dtype.kind != "f":
        return None
    return lambda scaled: np.asarray(scaled, np.float64).reshape(len(scaled), -1)[:, 0]


def _history_view(history: History) -> str:
    return inline([curves_section(history.rows)], "History")


History.view = staticmethod(_history_view)
