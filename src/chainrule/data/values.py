"""A column's values where they must all be numbers, or all dates; errors name the rows that are not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .cells import NUMBER_WITH_COMMAS, CellRules, days
from .table import Table


def read_numbers(table: Table, name: str, rules: CellRules) -> NDArray[np.float64]:
    """A number column's values, NaN where missing; raises DataError naming the rows that hold text or infinity."""
    cells = table.column(name)
    values, wrong = rules.numbers(cells)
    if wrong.any():
        raise DataError(text_in_numbers(table, name, rules, wrong))
    infinite = np.isinf(values)
    if infinite.any():
        rows = np.flatnonzero(infinite)
        raise DataError(
            f"{table.source}, column {name!r}: infinite value in {table.places(rows)}: expected finite numbers; "
            f"correct these cells, or name the word as missing: missing=[{str(cells[rows[0]])!r}]"
        )
    return values


def text_in_numbers(table: Table, name: str, rules: CellRules, wrong: NDArray[np.bool_]) -> str:
    """The message about cells of a number column that are no numbers."""
    rows = np.flatnonzero(wrong)
    cells = table.column(name)
    examples = list(dict.fromkeys(str(cells[row]) for row in rows))[:3]
    message = (
        f"{table.source}, column {name!r}: expected numbers, got {', '.join(map(repr, examples))} "
        f"in {table.places(rows)} ({len(rows)} of {len(cells)} rows). "
    )
    if all(NUMBER_WITH_COMMAS.fullmatch(str(cells[row])) for row in rows):
        return message + (
            "If the comma marks decimals, train with decimal=','; if it marks thousands, with thousands=','; "
            f"or, where the column holds names, with categories=[{name!r}]."
        )
    return message + (
        f"Correct these cells; or, where they mean that there is no value, train with missing={examples!r}; "
        f"or, where the column holds names, with categories=[{name!r}]; or without it: ignore=[{name!r}]."
    )


def read_days(table: Table, name: str, rules: CellRules, form: str) -> NDArray[np.float64]:
    """A date column's values in days since 1970, NaN where missing; raises DataError naming rows with other text."""
    cells = table.column(name)
    values, wrong = days(cells, rules.is_missing(cells), form)
    if wrong.any():
        rows = np.flatnonzero(wrong)
        raise DataError(
            f"{table.source}, column {name!r}: expected dates of the form {form}, got {str(cells[rows[0]])!r} "
            f"in {table.places(rows)}: correct these cells, or train with categories=[{name!r}] or ignore=[{name!r}]"
        )
    return values
