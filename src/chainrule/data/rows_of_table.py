"""The rows of a table file as examples, encoded as they are read: tables that need not fit into memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .encoder import TableEncoder
from .nested import Nested
from .read import FilePath, existing_file, stream_table

AT_ONCE = 1024


class TableRows:
    """A Source of (input, target) from a CSV, TSV or Parquet file; see `table_rows`."""

    length: int | None = None

    def __init__(self, path: FilePath, encoder: TableEncoder, reading: Mapping[str, Any]) -> None:
        self.path, self.encoder, self.reading = existing_file(path), encoder, dict(reading)

    def read(self, start: int) -> Iterator[Nested]:
        # Where rows without a label are left out, nobody knows before reading how many come before an example.
        passed = start if not self.encoder.drop_missing_labels else 0
        left_out = start - passed
        for table in stream_table(self.path, AT_ONCE, start=passed, **self.reading):
            labelled = self.encoder.labelled(table, is_part=True)
            if left_out >= len(labelled):
                left_out -= len(labelled)
                continue
            inputs, targets = self.encoder.encode_labelled(labelled)
            for row in range(left_out, len(inputs)):
                yield inputs[row], targets[row]
            left_out = 0


def table_rows(path: FilePath, encoder: TableEncoder, **reading: Any) -> TableRows:
    """The rows of a file as examples (input, target) for a `loader`, a thousand read at a time, never all.

    encoder: a TableEncoder, fitted to a part of the file (`next(stream_table(path, 10_000))`) or to another. reading:
    delimiter, header, encoding, as in `read_table`. A loader that is resumed passes over the rows before without
    encoding them; of Parquet it does not even read them, unless rows without a label are left out.
    """
    return TableRows(path, encoder, reading)
