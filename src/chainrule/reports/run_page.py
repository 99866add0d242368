"""The page of a run: its sections, each made from what is known of the run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..dispatch import compiled_function
from ..errors import TraceError
from ..files import write_text
from ..ir.types import NumpyArray
from ..train.evaluate import predict
from ..train.step import TrainingStep
from .contents import Judged, RunContents, Trained
from .graph import graph
from .html.document import Document, Section
from .html.numbers import show
from .pages.configuration import configuration_section
from .pages.curves import curves_section
from .pages.graph import graph_section
from .pages.resources import Kernel, resources_section
from .pages.results import Mistake, confusion_section, mistakes_section, residuals_section
from .run_explanations import explanation_sections, recorded_sections

FILE = "report.html"
MOST_MISTAKES = 24
GRAPH_ROWS = 8
MOST_CELLS = 12
"""Columns of a table that are shown beside a mistake."""


def run_document(contents: RunContents, version: str = "") -> Document:
    """All that is known of a run, as a page."""
    return Document(contents.title, list(sections(contents, version)), contents.subtitle)


def write_page(contents: RunContents, path: str | os.PathLike[str], version: str = "") -> Path:
    """Write the page, whole or not at all."""
    target = Path(path)
    write_text(target, run_document(contents, version).text())
    return target


def sections(contents: RunContents, version: str = "") -> Iterator[Section]:
    """In the order in which people read them."""
    yield curves_section([dict(row) for row in contents.rows], dict(contents.headings))
    if contents.trained is not None:
        yield from _trained(contents.trained, contents)
    else:
        yield from recorded_sections(contents.directory)
    yield configuration_section(contents.config, contents.command, version)


def _trained(trained: Trained, contents: RunContents) -> Iterator[Section]:
    worst: list[Mistake] = []
    if trained.judged is not None:
        outputs = predict(trained.model, trained.judged.inputs)
        worst = _mistakes(trained, trained.judged, outputs)
        yield _result(trained, trained.judged, outputs)
        yield mistakes_section(worst, contents.things)
    row = worst[0].row if worst else 0
    title = "Its worst mistake, back to every weight" if worst else "One example, back to every weight"
    yield from explanation_sections(trained, contents.directory, row, title)
    yield from _graph(trained)
    yield from _resources(trained)


# -- how good it is


def _result(trained: Trained, judged: Judged, outputs: NumpyArray) -> Section:
    if judged.decode is not None:
        return residuals_section(judged.decode(outputs), judged.decode(judged.targets), trained.target, judged.title)
    classes = trained.classes or tuple(map(str, range(outputs.shape[1])))
    matrix = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(matrix, (judged.targets, outputs.argmax(axis=1)), 1)
    return confusion_section(classes, matrix, judged.title, trained.baseline)


def _mistakes(trained: Trained, judged: Judged, outputs: NumpyArray) -> list[Mistake]:
    if judged.decode is not None:
        wanted, answers = judged.decode(judged.targets), judged.decode(outputs)
        errors = np.abs(answers - wanted)
        worst = [int(row) for row in np.argsort(-errors, kind="stable")[:MOST_MISTAKES]]
        return [
            _mistake(trained, judged, row, show(wanted[row]), show(answers[row]), f"off by {show(errors[row])}")
            for row in worst
        ]
    chances, losses = _chances(outputs), losses_of(outputs, judged.targets)
    classes = trained.classes or tuple(map(str, range(outputs.shape[1])))
    answered = outputs.argmax(axis=1)
    worst = [int(row) for row in np.argsort(-losses, kind="stable") if answered[row] != judged.targets[row]]
    return [
        _mistake(
            trained,
            judged,
            row,
            classes[int(judged.targets[row])],
            classes[int(answered[row])],
            f"{100 * chances[row, answered[row]]:.1f} % sure, cross entropy {show(losses[row], 4)}",
        )
        for row in worst[:MOST_MISTAKES]
    ]


def _mistake(trained: Trained, judged: Judged, row: int, wanted: str, answer: str, detail: str) -> Mistake:
    cells = tuple((name, str(column[row])) for name, column in list(judged.rows.items())[:MOST_CELLS])
    image = judged.inputs[row] if trained.image is not None and trained.image[0] in (1, 3) else None
    return Mistake(row, wanted, answer, detail, image, cells)


def _chances(outputs: NumpyArray) -> NumpyArray:
    held = outputs.astype(np.float64)
    parts = np.exp(held - held.max(axis=1, keepdims=True))
    return np.asarray(parts / parts.sum(axis=1, keepdims=True))


def losses_of(outputs: NumpyArray, targets: NumpyArray) -> NumpyArray:
    """The cross entropy of each example, float64 (n,)."""
    held = outputs.astype(np.float64)
    highest = held.max(axis=1)
    total = highest + np.log(np.exp(held - highest[:, None]).sum(axis=1))
    return np.asarray(total - held[np.arange(len(targets)), targets])


# -- how it computes


def _graph(trained: Trained) -> Iterator[Section]:
    inputs, targets = (each[:GRAPH_ROWS] for each in trained.training)
    trained.model.train()

    def loss(inputs: NumpyArray, targets: NumpyArray) -> object:
        return trained.loss(trained.model(inputs), targets)

    try:
        yield graph_section(graph(loss, inputs, targets), title="Its computation graph")
    except TraceError:
        return  # a network that can't be traced has no graph to show
    finally:
        trained.model.eval()


def _resources(trained: Trained) -> Iterator[Section]:
    """One native training step, on copies of everything it would change."""
    if trained.optimizer is None:
        return
    batch = [np.ascontiguousarray(each[: trained.batch_size]) for each in trained.training]
    trained.model.train()
    step = compiled_function(TrainingStep(trained.model, trained.loss, trained.optimizer(trained.model)))
    try:
        memory, times = step.memory(*batch), step.profile(*batch)
    except TraceError:
        return  # trained eagerly: there is no native step
    finally:
        trained.model.eval()
    kernels = [Kernel(each.label, each.source, each.seconds) for each in times]
    yield resources_section({**memory.sizes(), "total": memory.total}, kernels, len(batch[0]))
