"""Finding out what a text table's first lines don't say: the delimiter, and whether the first row names the columns."""

from __future__ import annotations

import math
from collections import Counter

DELIMITERS = (",", "\t", ";", "|")
ROWS_TRIED = 50


def find_delimiter(sample: str, suffix: str = "") -> str:
    """The delimiter that cuts most of the sample's rows into the same number of fields.

    Spaces count only where nothing else cuts and they cut every row alike; a comma where there is none.
    """
    if suffix.lower() in (".tsv", ".tab"):
        return "\t"
    scores = {delimiter: _score(sample, delimiter) for delimiter in DELIMITERS}
    best = max(DELIMITERS, key=lambda delimiter: scores[delimiter])
    if scores[best] > (0.0, 0):
        return best
    return " " if _score(sample, " ")[0] == 1.0 else ","


def has_header(rows: list[list[str]]) -> bool:
    """Whether the first row names the columns: some name stands above numbers, or no column starts with a number.

    A table of text alone is taken to have a header, as almost all have.
    """
    first, below = rows[0], rows[1:]
    if len(rows) == 1:
        return not any(is_plain_number(field) for field in first)
    numeric_below = [_is_numeric([row[column] for row in below if column < len(row)]) for column in range(len(first))]
    names_above_numbers = [
        field != "" and not is_plain_number(field) for field, numeric in zip(first, numeric_below) if numeric
    ]
    if any(names_above_numbers):
        return True
    return not any(is_plain_number(field) for field in first)


def is_plain_number(text: str) -> bool:
    """Whether a cell is a finite number in plain notation."""
    try:
        return math.isfinite(float(text)) and "_" not in text
    except ValueError:
        return False


def _is_numeric(fields: list[str]) -> bool:
    filled = [field for field in fields if field]
    numbers = sum(is_plain_number(field) for field in filled)
    return numbers > len(filled) / 2


def _score(sample: str, delimiter: str) -> tuple[float, int]:
    """(Share of rows with the usual number of fields, that number); (0, 0) where rows are not cut at all."""
    import csv

    complete = sample[: sample.rfind("\n") + 1] or sample
    counts: list[int] = []
    try:
        for fields in csv.reader(complete.splitlines(keepends=True), delimiter=delimiter, skipinitialspace=True):
            if any(field.strip() for field in fields):
                counts.append(len(fields))
            if len(counts) == ROWS_TRIED:
                break
    except csv.Error:
        return (0.0, 0)
    if not counts:
        return (0.0, 0)
    usual, frequency = Counter(counts).most_common(1)[0]
    return (frequency / len(counts), usual) if usual > 1 else (0.0, 0)
