"""A table's encoder fitted to some rows, with columns understood by all of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..data import Table, TableEncoder
from ..data.columns import CategoryColumn, DateColumn, IgnoredColumn, InputColumn, NumberColumn
from ..data.target import NumberTarget
from .source import TableOptions


def fit_on_rows(whole: TableEncoder, rows: Table, options: TableOptions) -> TableEncoder:
    """`whole` has found out what each column is; its scales and categories are taken from `rows` alone.

    Classes stay those of the whole table: a class too rare to be among `rows` is still a known answer.
    """
    fitted = TableEncoder.fit(rows, whole.target.name, **options.rules, **_as_wishes(whole))
    columns = {column.name: column for column in fitted.columns}
    kept = tuple(column if isinstance(column, IgnoredColumn) else columns[column.name] for column in whole.columns)
    target = fitted.target if isinstance(whole.target, NumberTarget) else whole.target
    return replace(whole, target=target, columns=kept)


def _as_wishes(encoder: TableEncoder) -> dict[str, Any]:
    return {
        "numbers": _names(encoder, NumberColumn),
        "categories": _names(encoder, CategoryColumn),
        "dates": {column.name: column.form for column in encoder.columns if isinstance(column, DateColumn)},
        "ignore": _names(encoder, IgnoredColumn),
    }


def _names(encoder: TableEncoder, kind: type[Any]) -> list[str]:
    return [column.name for column in encoder.columns if isinstance(column, kind)]


@dataclass(frozen=True)
class ColumnLine:
    """How one column was understood, for people."""

    name: str
    kind: str
    treatment: str
    inputs: int


def understood(encoder: TableEncoder) -> list[ColumnLine]:
    """A line for the target and for each other column."""
    target = encoder.target
    return [ColumnLine(target.name, "target", target.describe(), 0), *map(_line, encoder.columns)]


def _line(column: InputColumn) -> ColumnLine:
    if isinstance(column, IgnoredColumn):
        return ColumnLine(column.name, "ignored", column.reason, 0)
    kind, _, treatment = column.describe().partition(", ")
    return ColumnLine(column.name, kind.split()[0], treatment, len(column.features))  # "date (iso)" is a date
