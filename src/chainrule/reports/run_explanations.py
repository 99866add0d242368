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
from .flow_record import Flow
from .html.document import Section
from .pages.credit import credit_section
from .pages.flow import flow_section
from .pages.sample import sample_section
from .run_files import read_credit
from .sample import sample
from .sample_record import SampleExplanation

PROBE = 200
BUDGET = 65
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
    found, recorded = flow_of(trained, directory)
    section = flow_section(found)
    return section if recorded else replace(section, lead=section.lead + NOW.format(rows=_probe_rows(trained)))


def flow_of(trained: Trained, directory: Path | None) -> tuple[Flow, bool]:
    """The gradient flow that the run recorded, or that of its network as it is now; and whether it was recorded."""
    recorded = None if directory is None else read_flow(directory)
    if recorded is not None:
        return recorded, True
    inputs, targets = (each[:PROBE] for each in trained.training)
    return flow(trained.model, trained.loss, inputs, targets), False


def _probe_rows(trained: Trained) -> int:
    return min(PROBE, len(trained.training[0]))


def sample_of(trained: Trained, judged: Judged, row: int) -> SampleExplanation:
    """One of the judged examples worked back to every weight."""
    return sample(
        trained.model,
        trained.loss,
        judged.inputs[row],
        judged.targets[row],
        lr=trained.rate,
        top=CHANGES,
        row=row,
        classes=trained.classes,
    )


def _sample(trained: Trained, judged: Judged, row: int, title: str) -> Section:
    return sample_section(sample_of(trained, judged, row), trained.image, title)


def _credit(trained: Trained, directory: Path | None) -> Iterator[Section]:
    found, how = credit_of(trained, directory)
    if found is not None:
        yield _told(found, trained, how)


def credit_of(trained: Trained, directory: Path | None) -> tuple[Credit | None, str]:
    """The credit that the run recorded, or that of the straight way from its first weights; and which it is."""
    recorded = None if directory is None else read_credit(directory)
    if recorded is not None:
        return recorded, RECORDED
    if trained.first is None or not _moved(trained):
        return None, ""
    straight = credit(trained.model, trained.loss, trained.training, trained.first, probe=PROBE, budget=BUDGET)
    return straight, STRAIGHT


def _moved(trained: Trained) -> bool:
    now = trained.model.state_dict()
    return any(not np.array_equal(array, now[name]) for name, array in (trained.first or {}).items())


def _told(found: Credit, trained: Trained, how: str) -> Section:
    weights: dict[str, NumpyArray] = trained.model.state_dict()
    section = credit_section(found, trained.image, weights)
    return replace(section, lead=section.lead + how.format(rows=found.probe_size))
