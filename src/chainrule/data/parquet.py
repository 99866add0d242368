"""Reading Parquet tables by pyarrow, which is optional: `pip install 'chainrule[parquet]'`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, missing_dependency
from .table import Cells, Table, as_cells


def read_parquet(file: Path, columns: Sequence[str] | None = None) -> Table:
    """A Parquet file as a table: numbers as float64, dates as datetime64, text and booleans as text.

    Columns of other types (lists, structs, bytes) are left out, with the reason in `skipped`.
    """
    pyarrow = _pyarrow(file)
    try:
        _check_names(file, pyarrow.parquet.read_schema(file).names)
        table = pyarrow.parquet.read_table(file)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{file.name} can't be read as Parquet: {error}") from error
    if table.num_rows == 0:
        raise DataError(f"{file.name} has the columns {table.column_names} but no rows")
    cells, skipped = _convert(pyarrow, table)
    whole = Table(cells, file.name, skipped=skipped)
    if columns is None:
        return whole
    return Table({name: whole.column(name) for name in columns}, file.name)


def stream_parquet(file: Path, batch_size: int, start: int = 0) -> Iterator[Table]:
    """A Parquet file as small tables of `batch_size` rows at most, from row `start` on; earlier groups are not read."""
    pyarrow = _pyarrow(file)
    try:
        with pyarrow.parquet.ParquetFile(file) as opened:
            _check_names(file, opened.schema_arrow.names)
            groups, passed = list(range(opened.num_row_groups)), start
            while groups and passed >= opened.metadata.row_group(groups[0]).num_rows:
                passed -= opened.metadata.row_group(groups.pop(0)).num_rows
            for batch in opened.iter_batches(batch_size, row_groups=groups) if groups else ():
                rows = pyarrow.Table.from_batches([batch]).slice(passed)
                passed = max(0, passed - batch.num_rows)
                if rows.num_rows:
                    cells, skipped = _convert(pyarrow, rows)
                    yield Table(cells, file.name, skipped=skipped)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{file.name} can't be read as Parquet: {error}") from error


def _pyarrow(file: Path) -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise missing_dependency("pyarrow", f"reading {file.name}, a Parquet file,", "parquet") from error
    return pyarrow


def _check_names(file: Path, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            f"{file.name}: column names must differ, but {', '.join(map(repr, twice))} comes more than once"
        )


def _convert(pyarrow: Any, table: Any) -> tuple[dict[str, Cells], dict[str, str]]:
    cells: dict[str, Cells] = {}
    skipped: dict[str, str] = {}
    for name, column in zip(table.column_names, table.columns):
        converted = _column(pyarrow, column)
        if converted is None:
            skipped[name] = f"it holds {column.type}, expected numbers, text, booleans or dates"
        else:
            cells[name] = converted
    return cells, skipped


def _column(pyarrow: Any, column: Any) -> Cells | None:
    types = pyarrow.types
    kind = column.type
    if types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = kind.value_type
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return np.asarray(column.cast(pyarrow.float64(), safe=False).to_numpy(), dtype=np.float64)
    if types.is_date(kind) or types.is_timestamp(kind):
        return np.asarray(column.cast(pyarrow.timestamp("us"), safe=False).to_numpy(), dtype="datetime64[us]")
    if types.is_boolean(kind) or types.is_string(kind) or types.is_large_string(kind):
        return as_cells(column.to_pylist())
    if types.is_null(kind):
        return as_cells([""] * len(column))
    return None
