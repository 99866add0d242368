"""Tables too large for memory, for `--mode online`: the held-out rows are held, the rest comes as it is read.

The file is gone through once to count rows, find all classes and take its checksum, once for the held-out rows, and
then for the training itself. Which rows are held out follows from their numbers alone.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import Table, TableEncoder, read_table, stream_table
from ..data.order import unit_numbers
from ..data.predictions import Label
from ..data.rows_of_table import TableRows
from ..data.target import ClassTarget, class_key, class_order
from .source import Source

LARGE = 1 << 26
"""Bytes of a file from which on a table is streamed, where the mode is online."""
HEAD = 10_000
"""Rows from which columns are understood and scales taken; at most as many are held for validation, test and pages."""
AT_ONCE = 4096
TRAINING, VALIDATION, TEST = 0, 1, 2


def is_streamed(path: str, mode: str | None) -> bool:
    """Whether a table is read as it is trained on."""
    return mode == "online" and Path(path).stat().st_size >= LARGE


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """The rows of a table that are trained on, as a Source for a loader; parts: of every labelled row."""

    rows: TableRows
    parts: NDArray[np.int8]

    @property
    def length(self) -> int | None:
        """How many there are."""
        return int((self.parts == TRAINING).sum())

    def read(self, start: int) -> Iterator[Any]:
        """From the `start`-th on; what comes before is not encoded."""
        places = np.flatnonzero(self.parts == TRAINING)
        if start >= len(places):
            return
        first = int(places[start])
        for place, example in enumerate(self.rows.read(first), first):
            if self.parts[place] == TRAINING:
                yield example


@dataclass(frozen=True, eq=False)
class Streamed:
    """A table that is gone through, not held. held: the rows of each part that are (of the training rows the first)."""

    encoder: TableEncoder
    training: TrainingRows
    held: tuple[Table | None, Table | None, Table | None]
    checksum: int


def open_streamed(source: Source) -> Streamed:
    """Find out all that is needed to train on a table without holding it."""
    head = next(stream_table(source.path, HEAD, **source.table.reading))
    encoder = TableEncoder.fit(head, source.target, **source.table.rules, **source.table.columns)
    count, labels, checksum = _first_pass(source, encoder)
    encoder = _with_classes(encoder, labels)
    parts = _parts(count, source)
    held = _held(source, encoder, parts)
    if source.test_file:
        held = (*held[:2], read_table(source.test_file, **source.table.reading))
    rows = TableRows(source.path, encoder, source.table.reading)
    return Streamed(encoder, TrainingRows(rows, parts), held, checksum)


def _labelled(source: Source, encoder: TableEncoder) -> Iterator[Table]:
    """The rows with a label, some at a time."""
    for table in stream_table(source.path, AT_ONCE, **source.table.reading):
        labelled = encoder.labelled(table, is_part=True)
        if len(labelled):
            yield labelled


def _first_pass(source: Source, encoder: TableEncoder) -> tuple[int, set[str], int]:
    """How many labelled rows there are, all their classes, and a checksum of their labels and of the file's size."""
    count, labels, checksum = 0, set[str](), Path(source.path).stat().st_size
    for table in _labelled(source, encoder):
        texts = encoder.rules.texts(table.column(encoder.target.name))
        checksum = zlib.crc32("\n".join(texts).encode(), checksum)
        count += len(table)
        if isinstance(encoder.target, ClassTarget):
            labels.update(texts)
    return count, labels, checksum


def _with_classes(encoder: TableEncoder, labels: set[str]) -> TableEncoder:
    """Classes that come later in the file are known from the start."""
    if not isinstance(encoder.target, ClassTarget):
        return encoder
    known = {class_key(label) for label in encoder.target.classes}
    numbers = not any(isinstance(label, str) for label in encoder.target.classes)
    new = {class_key(text): text for text in labels if class_key(text) not in known}
    classes = [*encoder.target.classes, *(_as_label(text, numbers) for text in new.values())]
    return replace(encoder, target=replace(encoder.target, classes=tuple(sorted(classes, key=class_order))))


def _as_label(text: str, number: bool) -> Label:
    if not number:
        return text
    try:
        value = float(text)
    except ValueError:
        return text
    return int(value) if math.isfinite(value) and value == int(value) else value


def _parts(count: int, source: Source) -> NDArray[np.int8]:
    """The part of each row: so many at random for the test and for validation, but no more than can be held."""
    test = min(0.0 if source.test_file else source.test, HEAD / count)
    watched = min(source.validation * (1 - test), HEAD / count)
    points = unit_numbers(np.arange(count))
    parts = np.full(count, TRAINING, np.int8)
    parts[points < test + watched] = VALIDATION
    parts[points < test] = TEST
    return parts


def _held(
    source: Source, encoder: TableEncoder, parts: NDArray[np.int8]
) -> tuple[Table | None, Table | None, Table | None]:
    found: dict[int, list[Table]] = {TRAINING: [], VALIDATION: [], TEST: []}
    first = kept = 0
    for table in _labelled(source, encoder):
        here = parts[first : first + len(table)]
        first += len(table)
        for part in (VALIDATION, TEST):
            found[part].append(table.rows(here == part))
        if kept < HEAD:
            found[TRAINING].append(table.rows(np.flatnonzero(here == TRAINING)[: HEAD - kept]))
            kept += len(found[TRAINING][-1])
    training, validation, test = (_joined(found[part]) for part in (TRAINING, VALIDATION, TEST))
    return training, validation, test


def _joined(tables: list[Table]) -> Table | None:
    some = [table for table in tables if len(table)]
    if not some:
        return None
    columns = {name: np.concatenate([table.column(name) for table in some]) for name in some[0].names}
    return replace(some[0], columns=columns, lines=np.concatenate([table.lines for table in some]))
