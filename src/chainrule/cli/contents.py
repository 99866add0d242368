"""A run of the command line as what a page is made from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from .. import random
from ..data import ImageEncoder
from ..data.target import ClassTarget
from ..ir.types import NumpyArray
from ..reports.contents import Judged, RunContents, Trained
from ..reports.page import read_rows
from .baseline import in_own_units
from .losses import loss_of
from .networks import build
from .optimisers import make_optimizer
from .pages import things
from .problem import Encoder, Problem, number_target
from .record import Record
from .repeat import command_of
from .runs import OpenedRun, judged_by, load_unchanged, open_run

HEADINGS = {"error": "Mean absolute error"}


def read_contents(path: Path) -> RunContents:
    """Everything about a run; raises CheckpointError where it is none, DataError where its data have changed."""
    with random.kept():  # networks are made with random weights before they get their own
        opened = open_run(path)
        problem = load_unchanged(opened.record)
        return replace(described(opened.record, path), rows=read_rows(path), trained=trained_of(opened, problem))


def described(record: Record, path: Path) -> RunContents:
    """What is known of a run before it has begun."""
    config = {
        "data": record.source.to_dict(),
        "network": record.network.to_dict(),
        "settings": record.settings.to_dict(),
        "fingerprint of the data": record.fingerprint,
    }
    return RunContents(
        title=f"Run {path.name}",
        rows=(),
        config=config,
        command=command_of(record),
        directory=path,
        things=things(record.source.kind),
        headings=HEADINGS,
        subtitle=f"{record.source.name}: {record.network.describe()}",
    )


def trained_of(opened: OpenedRun, problem: Problem) -> Trained:
    """The network with its weights, those it began with, and its examples."""
    record, shape = opened.record, problem.input_shape
    settings, target, counts = record.settings, number_target(record.encoder), record.baseline.counts
    return Trained(
        model=opened.module,
        loss=loss_of(problem, settings),
        training=problem.training.pair,
        judged=_judged(problem),
        classes=() if target is not None else class_names(record.encoder),
        target="target" if target is None else target.name,
        baseline=max(counts) / max(1, sum(counts)) if counts else None,
        first=_first_weights(record),
        optimizer=lambda module: make_optimizer(settings, module),
        batch_size=settings.examples_an_update(problem.count),
        rate=settings.lr,
        image=shape if len(shape) == 3 else None,
    )


def _judged(problem: Problem) -> Judged:
    title, examples = judged_by(problem)
    target, table = number_target(problem.encoder), problem.tables.get(title)
    rows = {} if table is None else {name: [str(cell) for cell in table.column(name)] for name in table.names}
    decode = None if target is None else (lambda scaled: in_own_units(target, scaled))
    return Judged(title, examples.inputs, examples.targets, rows, decode)


def class_names(encoder: Encoder) -> tuple[str, ...]:
    """As people named them."""
    if isinstance(encoder, ImageEncoder):
        return tuple(map(str, encoder.classes))
    return tuple(map(str, encoder.target.classes)) if isinstance(encoder.target, ClassTarget) else ()


def _first_weights(record: Record) -> dict[str, NumpyArray]:
    """Those that the run's seed gives."""
    random.manual_seed(record.settings.seed)
    return build(record.network).state_dict()
