"""Reading tables from files: CSV, TSV and the like (gzipped too) as text, Parquet by pyarrow."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import TypeAlias

import numpy as np

from ..counts import checked_count
from ..errors import DataError
from .rows import Row, open_rows
from .table import Cells, Table

FilePath: TypeAlias = str | PathLike[str]

PARQUET_SUFFIXES = (".parquet", ".pq")


def read_table(
    path: FilePath,
    delimiter: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    columns: Sequence[str] | None = None,
) -> Table:
    """Read a CSV, TSV or Parquet file whole.

    What is left None is found out: the delimiter (comma, tab, semicolon, bar), whether the first line names the columns
    (else they are `column_1`, `column_2`, ...), and the encoding (UTF-8, or what the byte order mark says). Cells of
    text files stay text, stripped of outer spaces; `TableEncoder` finds out what they mean. `columns` picks columns.
    Raises DataError, naming file and line, on anything that can't be read without guessing.
    """
    file = existing_file(path)
    if file.suffix.lower() in PARQUET_SUFFIXES:
        from .parquet import read_parquet

        return read_parquet(file, columns)
    with open_rows(file, delimiter, header, encoding) as (names, rows, header_found):
        table = _to_table(file.name, names, list(rows), header_found)
    if len(table) == 0:
        raise DataError(f"{file.name} has column names but no rows: expected data below the first line")
    if columns is None:
        return table
    return Table({name: table.column(name) for name in columns}, table.source, table.lines, {}, header_found)


def stream_table(
    path: FilePath,
    batch_size: int = 64,
    delimiter: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    start: int = 0,
) -> Iterator[Table]:
    """Read a table as a stream of small tables of `batch_size` rows, never whole, for training in mode `online`.

    start: how many rows to pass over first. Options and errors as in `read_table`; an error in a row comes when that
    row is reached.
    """
    batch_size = checked_count("batch_size", batch_size)
    file = existing_file(path)
    if file.suffix.lower() in PARQUET_SUFFIXES:
        from .parquet import stream_parquet

        return stream_parquet(file, batch_size, start)
    return _small_tables(file, batch_size, delimiter, header, encoding, start)


def _small_tables(
    file: Path, batch_size: int, delimiter: str | None, header: bool | None, encoding: str | None, start: int
) -> Iterator[Table]:
    with open_rows(file, delimiter, header, encoding) as (names, rows, header_found):
        waiting: list[Row] = []
        for row in itertools.islice(rows, start, None):
            waiting.append(row)
            if len(waiting) == batch_size:
                yield _to_table(file.name, names, waiting, header_found)
                waiting = []
        if waiting:
            yield _to_table(file.name, names, waiting, header_found)


def existing_file(path: FilePath) -> Path:
    """The path of a file that is there; raises DataError where it is not."""
    file = Path(path)
    if file.is_dir():
        raise DataError(f"{path} is a folder, expected a file")
    if not file.exists():
        folder = "" if file.parent.is_dir() else f" (there is no folder {file.parent} either)"
        raise DataError(f"there is no file {path}{folder}")
    return file


def _to_table(source: str, names: tuple[str, ...], rows: list[Row], header_found: bool) -> Table:
    columns: dict[str, Cells] = {}
    for position, name in enumerate(names):
        cells = np.empty(len(rows), dtype=object)
        cells[:] = [fields[position] for _, fields in rows]
        columns[name] = cells
    return Table(columns, source, np.array([line for line, _ in rows], dtype=np.int64), {}, header_found)
