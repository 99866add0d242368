"""Finding out what each input column is: a number, a category, a date, or nothing to learn from."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..counts import checked_count
from ..errors import ConfigurationError, DataError
from .cells import ISO, NUMBER_WITH_COMMAS, CellRules, date_formats
from .columns import CategoryColumn, DateColumn, IgnoredColumn, InputColumn, NumberColumn
from .table import Table
from .values import text_in_numbers

IDENTIFIER_NAME = re.compile(r"(.*[_\W])?(id|uuid|guid|index|key)|.*[a-z]I[Dd]|column_1|unnamed.*", re.IGNORECASE)
FEW_ROWS = 20  # with fewer, a column of all different texts may still be a category
RARE_SHARE = 0.005
MOSTLY = 0.5
FEW_WRONG, FEW_WRONG_SHARE = 3, 0.1


@dataclass(frozen=True)
class Wishes:
    """What the user said about columns, which goes before what is found out."""

    numbers: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    dates: Mapping[str, str | None] = field(default_factory=dict)
    ignore: frozenset[str] = frozenset()
    category_limit: int = 50

    def check(self, table: Table) -> None:
        """Raises where a name is no column, or is given two meanings."""
        groups = {
            "numbers": self.numbers,
            "categories": self.categories,
            "dates": self.dates.keys(),
            "ignore": self.ignore,
        }
        seen: dict[str, str] = {}
        for group, names in groups.items():
            for name in sorted(names):
                if name not in table.skipped:
                    table.column(name)
                if name in seen:
                    raise ConfigurationError(f"column {name!r} is named in both {seen[name]} and {group}")
                seen[name] = group
        checked_count("category_limit", self.category_limit)


def infer_columns(table: Table, target: str | None, rules: CellRules, wishes: Wishes) -> list[InputColumn]:
    """Fit every column but the target, in the table's order; raises DataError where none is left to learn from."""
    names = [name for name in table.names if name != target]
    columns = [infer_column(table, name, rules, wishes) for name in names]
    columns += [IgnoredColumn(name, reason) for name, reason in table.skipped.items() if name != target]
    if not any(column.features for column in columns):
        reasons = "; ".join(f"{column.name!r} {column.describe()}" for column in columns) or "there are no others"
        raise DataError(f"{table.source} has no column to learn from beside the target {target!r}: {reasons}")
    return columns


def infer_column(table: Table, name: str, rules: CellRules, wishes: Wishes) -> InputColumn:
    """One column's meaning: what the user said, else by its cells."""
    if name in wishes.ignore:
        return IgnoredColumn(name, "as asked")
    missing = rules.is_missing(table.column(name))
    if missing.all():
        return IgnoredColumn(name, "every cell is missing")
    if name in wishes.categories:
        return _category(table, name, rules, wishes)
    if name in wishes.numbers:
        return NumberColumn.fit(table, name, rules)
    if name in wishes.dates:
        return DateColumn.fit(table, name, rules, wishes.dates[name] or _date_format(table, name, rules))
    return _by_cells(table, name, rules, wishes, ~missing)


def _by_cells(table: Table, name: str, rules: CellRules, wishes: Wishes, present: NDArray[np.bool_]) -> InputColumn:
    cells = table.column(name)
    texts = [text for text, is_present in zip(rules.texts(cells), present) if is_present]
    if len(set(texts)) == 1 and present.all():
        return IgnoredColumn(name, f"it is the same in every row: {texts[0]}")
    if cells.dtype.kind == "M":
        return DateColumn.fit(table, name, rules, ISO)
    values, wrong = rules.numbers(cells)
    if not wrong.any():
        return _number_or_identifier(table, name, rules, values)
    _check_few_wrong(table, name, rules, wrong, len(texts))
    if date_formats(set(texts)):
        return DateColumn.fit(table, name, rules, _date_format(table, name, rules))
    if len(texts) >= FEW_ROWS and len(set(texts)) > len(texts) / 2:
        return IgnoredColumn(name, f"{len(set(texts))} different texts in {len(texts)} rows, too many to learn from")
    return _category(table, name, rules, wishes)


def _number_or_identifier(table: Table, name: str, rules: CellRules, values: NDArray[np.float64]) -> InputColumn:
    whole = bool((values == np.round(values)).all())
    distinct = whole and len(np.unique(values)) == len(values) > 2
    counts_rows = distinct and bool((np.diff(values) == 1).all()) and values[0] in (0, 1)
    if distinct and IDENTIFIER_NAME.fullmatch(name):
        return IgnoredColumn(name, "it identifies the rows: every number is different, and its name says so")
    if counts_rows and len(values) >= FEW_ROWS:
        return IgnoredColumn(name, "it numbers the rows")
    return NumberColumn.fit(table, name, rules)


def _check_few_wrong(table: Table, name: str, rules: CellRules, wrong: NDArray[np.bool_], count: int) -> None:
    """A column of numbers but for a few cells is more likely a mistake than a category: ask, don't guess."""
    wrong_count = int(wrong.sum())
    few = wrong_count <= max(FEW_WRONG, FEW_WRONG_SHARE * count)
    mostly_numbers = count - wrong_count > MOSTLY * count
    wrong_cells = table.column(name)[wrong]
    if (few and mostly_numbers) or all(NUMBER_WITH_COMMAS.fullmatch(str(cell)) for cell in wrong_cells):
        raise DataError(text_in_numbers(table, name, rules, wrong))


def _date_format(table: Table, name: str, rules: CellRules) -> str:
    cells = table.column(name)
    if cells.dtype.kind == "M":
        return ISO
    texts = [text for text, absent in zip(rules.texts(cells), rules.is_missing(cells)) if not absent]
    formats = date_formats(set(texts))
    if not formats:
        raise DataError(
            f"{table.source}, column {name!r}: expected dates such as 2024-05-31, got {texts[0]!r}; "
            f"say their form, such as dates={{{name!r}: '%d %B %Y'}}"
        )
    if len(formats) > 1:
        raise DataError(
            f"{table.source}, column {name!r}: the dates, such as {texts[0]!r}, fit {' and '.join(formats)}; "
            f"say which: dates={{{name!r}: {formats[0]!r}}}"
        )
    return formats[0]


def _category(table: Table, name: str, rules: CellRules, wishes: Wishes) -> CategoryColumn:
    least = max(1, math.ceil(RARE_SHARE * len(table)))
    return CategoryColumn.fit(table, name, rules, wishes.category_limit, least)


def as_wishes(
    numbers: Sequence[str],
    categories: Sequence[str],
    dates: Sequence[str] | Mapping[str, str | None],
    ignore: Sequence[str],
    category_limit: int,
) -> Wishes:
    """The user's words on columns; `dates` is names, or name -> format."""
    formats = dict(dates) if isinstance(dates, Mapping) else dict.fromkeys(dates)
    return Wishes(frozenset(numbers), frozenset(categories), formats, frozenset(ignore), category_limit)
