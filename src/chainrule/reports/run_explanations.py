"""The explanations on a run's page: credit, one example, gradient flow; recorded ones where the run kept them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..ir.types import NumpyArray
from .contents import Judged, Trained
from .credit import credit
from .credit_record import Credit
from .flow import flow, read_flow
from .pages.credit import credit_section
from .pages.document import Section
from .pages.flow import flow_section
from .pages.sample import sample_section
from .run_files import read_credit
from .sample import sample

PROBE = 200
EVALUATIONS = 33
STRAIGHT = (
    " Here they are those of the straight way from the first weights to the last, on {rows} training examples; "
    "recorded while it trains (CreditRecorder), they follow the way the weights took."
)
NOW = " Here at the end of training, on {rows} training examples; FlowRecorder records it while a network trains."
RECORDED = " Recorded while it trained, on {rows} examples."
CHANGES = 12


def explanation_sections(trained: Trained, directory: Path | None, worst: int | None, title: str) -> Iterator[Section]:
    """worst: which of the judged examples to work out."""
    if trained.judged is not None and worst is not None:
        yield _sample(trained, trained.judged, worst, title)
    yield from _credit(trained, directory)
    yield _flow(trained, directory)


def recorded_sections(directory: Path | None) -> Iterator[Section]:
    """What recorders kept in a run directory, where the network itself is not at hand."""
    found = None if directory is None else read_credit(directory)
    if found is not None:
        section = credit_section(found)
        yield replace(section, lead=section.lead + RECORDED.format(rows=found.probe_size))
    flowed = None if directory is None else read_flow(directory)
    if flowed is not None:
        yield flow_section(flowed)


def _flow(trained: Trained, directory: Path | None) -> Section:
    recorded = None if directory is None else read_flow(directory)
    if recorded is not None:
        return flow_section(recorded)
    inputs, targets = (each[:PROBE] for each in trained.training)
    section = flow_section(flow(trained.model, trained.loss, inputs, targets))
    return replace(section, lead=section.lead + NOW.format(rows=len(inputs)))


def _sample(trained: Trained, judged: Judged, row: int, title: str) -> Section:
    found = sample(
        trained.model,
        trained.loss,
        judged.inputs[row],
        judged.targets[row],
        lr=trained.rate,
        top=CHANGES,
        row=row,
        classes=trained.classes,
    )
    return sample_section(found, trained.image, title)


def _credit(trained: Trained, directory: Path | None) -> Iterator[Section]:
    recorded = None if directory is None else read_credit(directory)
    if recorded is not None:
        yield _told(recorded, trained, RECORDED)
    elif trained.first is not None and _moved(trained):
        found = credit(
            trained.model, trained.loss, trained.training, trained.first, probe=PROBE, evaluations=EVALUATIONS
        )
        yield _told(found, trained, STRAIGHT)


def _moved(trained: Trained) -> bool:
    now = trained.model.state_dict()
    return any(not np.array_equal(array, now[name]) for name, array in (trained.first or {}).items())


def _told(found: Credit, trained: Trained, how: str) -> Section:
    weights: dict[str, NumpyArray] = trained.model.state_dict()
    section = credit_section(found, trained.image, weights)
    return replace(section, lead=section.lead + how.format(rows=found.probe_size))
