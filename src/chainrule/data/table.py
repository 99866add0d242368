"""A table: named columns as they stand in a file, each row with the place it came from, for errors to name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError

Cells: TypeAlias = NDArray[Any]  # text (object array of str), float64 or datetime64, one per row
ROWS_SHOWN = 5


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of equal length. Text cells are `str`, as read; numbers float64 (NaN missing); dates datetime64 (NaT).

    `source` is what errors call the table, `lines` the line of the file each row starts on (empty where there are no
    lines), `skipped` names columns left out, with the reason.
    """

    columns: Mapping[str, Cells]
    source: str = "the table"
    lines: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    skipped: Mapping[str, str] = field(default_factory=dict)
    header_found: bool = True

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.columns)

    def column(self, name: str) -> Cells:
        """One column's cells; raises DataError listing the columns where there is none of that name."""
        if name not in self.columns:
            raise DataError(self._no_column(name))
        return self.columns[name]

    def rows(self, chosen: NDArray[Any]) -> Table:
        """The chosen rows (indices or a mask), with their places."""
        lines = self.lines[chosen] if len(self.lines) else self.lines
        return replace(self, columns={name: cells[chosen] for name, cells in self.columns.items()}, lines=lines)

    def places(self, rows: Sequence[int] | NDArray[Any]) -> str:
        """How an error names rows: `line 7`, or `lines 7, 9 and 5 more`; `row` from 1 where there are no lines."""
        numbers = [int(self.lines[row]) if len(self.lines) else int(row) + 1 for row in rows]
        word = "line" if len(self.lines) else "row"
        if len(numbers) == 1:
            return f"{word} {numbers[0]}"
        shown = ", ".join(map(str, numbers[:ROWS_SHOWN]))
        more = len(numbers) - ROWS_SHOWN
        return f"{word}s {shown} and {more} more" if more > 0 else f"{word}s {shown}"

    def _no_column(self, name: str) -> str:
        if name in self.skipped:
            return f"{self.source}: column {name!r} can't be used: {self.skipped[name]}"
        near = get_close_matches(name, self.names, n=3, cutoff=0.5)
        near = near or [known for known in self.names if known.casefold() == name.casefold()]
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        header = (
            "" if self.header_found else " The first line holds data, no column names, so the columns are numbered."
        )
        listing = ", ".join(map(repr, self.names))
        return f"{self.source} has no column {name!r}.{hint} It has the columns {listing}.{header}"


def table_from_columns(columns: Mapping[str, Any], source: str = "the table") -> Table:
    """A table of sequences: numbers become float64, dates datetime64, all else text (None and NaN are missing)."""
    cells = {str(name): as_cells(values, f"{source}, column {name!r}") for name, values in columns.items()}
    lengths = {name: len(values) for name, values in cells.items()}
    if not cells or len(set(lengths.values())) > 1:
        raise DataError(f"{source}: a table needs columns of one length, got {lengths}")
    return Table(cells, source)


def as_cells(values: Any, place: str = "the column") -> Cells:
    """A sequence as a column's cells: float64, datetime64 or text."""
    array = np.asarray(values) if not isinstance(values, (list, tuple)) else _from_sequence(values)
    if array.ndim != 1:
        raise DataError(f"{place} has shape {array.shape}: expected one value per row")
    if array.dtype.kind in "iuf":
        return array.astype(np.float64)
    if array.dtype.kind == "M":
        return array
    return _text(array.tolist())


def _from_sequence(values: Sequence[Any]) -> Cells:
    present = [value for value in values if value is not None]
    is_number = all(isinstance(value, (int, float, np.number)) and not isinstance(value, bool) for value in present)
    if present and is_number:
        return np.array([np.nan if value is None else float(value) for value in values])
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _text(values: Sequence[Any]) -> Cells:
    cells = np.empty(len(values), dtype=object)
    cells[:] = ["" if value is None or value != value else str(value).strip() for value in values]
    return cells
