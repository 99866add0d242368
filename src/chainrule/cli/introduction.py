"""The page before training: what the data are, how they were understood, and what was chosen."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.text import Text

from ..data import ImageEncoder, TableEncoder
from . import display
from .pages import things
from .problem import Problem
from .record import Record
from .tables import understood

KIND_STYLES = {"target": "bold", "ignored": "dim"}
MOST_COLUMNS = 60


def introduction(screen: Console, record: Record, problem: Problem, weights: int, run: Path) -> None:
    """Data, columns, network, settings and run directory."""
    display.heading(screen, _title(problem))
    if isinstance(problem.encoder, TableEncoder):
        _columns(screen, problem.encoder)
        screen.print()
    lines = [(things(problem.source.kind), _parts(problem)), *_about(problem.encoder)]
    lines += [("note", note) for note in problem.notes]
    lines += [
        ("network", f"{record.network.describe()}; {display.count(weights, 'weight')}"),
        ("learning", record.settings.describe()),
        ("run", str(run)),
    ]
    display.facts(screen, lines)


def _title(problem: Problem) -> str:
    source, encoder = problem.source, problem.encoder
    if source.kind == "digits":
        return "Handwritten digits (MNIST), 28 x 28 pixels"
    file = Path(source.path).name
    if isinstance(encoder, ImageEncoder):
        size = f"{encoder.height} x {encoder.width} pixels, {'gray' if encoder.channels == 1 else 'colour'}"
        return f"Images of {file}, {display.count(encoder.outputs, 'class', 'classes')}, {size}"
    task = f"{encoder.outputs} classes" if encoder.task == "classification" else "a number"
    return f"{file}: predict {source.target!r}, {task}, from {display.count(len(_read(encoder)), 'column')}"


def _read(encoder: TableEncoder) -> list[str]:
    return [column.name for column in encoder.columns if column.features]


def _parts(problem: Problem) -> str:
    """How the examples are used."""
    parts = [f"{problem.count:,} for training"]
    if problem.validation is not None:
        parts.append(f"{len(problem.validation):,} for validation")
    if problem.test is not None:
        parts.append(f"{len(problem.test):,} for the test")
    return ", ".join(parts)


def _about(encoder: TableEncoder | ImageEncoder) -> list[tuple[str, str]]:
    if isinstance(encoder, ImageEncoder):
        return [("classes", ", ".join(display.label(name, 24) for name in encoder.classes[:20]))]
    return [("inputs", display.count(len(encoder.features), "number") + " a row")]


def _columns(screen: Console, encoder: TableEncoder) -> None:
    table = display.table("column", "kind", "inputs", "how it is read", left=("column", "kind", "how it is read"))
    lines = understood(encoder)
    for line in lines[:MOST_COLUMNS]:
        style = KIND_STYLES.get(line.kind, "")
        cells = (display.label(line.name, 24), line.kind, str(line.inputs or ""), line.treatment)
        table.add_row(*(Text(cell, style=style) for cell in cells))
    display.show(screen, table)
    if len(lines) > MOST_COLUMNS:
        screen.print(f"  and {len(lines) - MOST_COLUMNS} columns more", style="dim")
