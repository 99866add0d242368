"""What single cells mean: missing, a number, a date; and the rules a user can set for it."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigurationError
from .sniff import is_plain_number
from .table import Cells

MISSING = ("", "na", "n/a", "#n/a", "<na>", "nan", "nat", "null", "none", "?", "-")  # compared without case
DATE_FORMATS = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%m-%d-%Y")
ISO = "iso"  # the format name of ISO 8601 dates and times
STARTS_LIKE_A_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}")
NUMBER_WITH_COMMAS = re.compile(r"[-+]?\d+(,\d+)+(\.\d+)?|[-+]?\d{1,3}(\.\d{3})*,\d+")
SECONDS_IN_A_DAY = 86_400.0


@dataclass(frozen=True)
class CellRules:
    """How cells are read: words for missing (beside `MISSING`), the decimal mark, the mark between thousands."""

    missing: tuple[str, ...] = ()
    decimal: str = "."
    thousands: str = ""

    def __post_init__(self) -> None:
        if self.decimal not in (".", ",") or self.thousands == self.decimal or len(self.thousands) > 1:
            raise ConfigurationError(
                "decimal is '.' or ',', and thousands another character or none; "
                f"got {self.decimal!r} and {self.thousands!r}"
            )

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "missing": list(self.missing)}

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> CellRules:
        return cls(tuple(state["missing"]), state["decimal"], state["thousands"])

    def is_missing(self, cells: Cells) -> NDArray[np.bool_]:
        """Which cells hold nothing."""
        words = {*MISSING, *(word.strip().casefold() for word in self.missing)}
        if cells.dtype == object:
            return np.array([cell.casefold() in words for cell in cells], dtype=bool)
        if cells.dtype.kind == "M":
            return np.isnat(cells)
        sentinels = [float(word) for word in self.missing if is_plain_number(word)]
        return np.isnan(cells) | np.isin(cells, sentinels)

    def numbers(self, cells: Cells) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The cells as float64, NaN where missing or no number; and which are no number though not missing."""
        missing = self.is_missing(cells)
        if cells.dtype.kind == "M":
            return np.full(len(cells), np.nan), ~missing
        if cells.dtype != object:
            return np.where(missing, np.nan, cells), np.zeros(len(cells), dtype=bool)
        values = np.array(
            [np.nan if absent else self.number(cell) for cell, absent in zip(cells, missing)], dtype=np.float64
        )
        return values, np.isnan(values) & ~missing

    def number(self, text: str) -> float:
        """One cell as a number, NaN where it is none."""
        if self.thousands:
            text = text.replace(self.thousands, "")
        if self.decimal == ",":
            if "." in text:
                return math.nan
            text = text.replace(",", ".")
        try:
            return math.nan if "_" in text else float(text)
        except ValueError:
            return math.nan

    def texts(self, cells: Cells) -> list[str]:
        """Cells as category names: text as it stands, 3.0 as `3`, a date in ISO form."""
        if cells.dtype == object:
            return list(cells)
        if cells.dtype.kind == "M":
            return [str(cell) for cell in cells]
        return [number_text(cell) for cell in cells.tolist()]


def number_text(value: float) -> str:
    """The shortest text of a number: `3` for 3.0."""
    return str(int(value)) if math.isfinite(value) and value == int(value) else repr(value)


def days(cells: Cells, missing: NDArray[np.bool_], form: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Dates as days since 1970 (NaN where missing), and which are no dates of this form though not missing."""
    if cells.dtype.kind == "M":
        microseconds = cells.astype("datetime64[us]").astype(np.int64).astype(np.float64)
        return np.where(missing, np.nan, microseconds / (SECONDS_IN_A_DAY * 1e6)), np.zeros(len(cells), dtype=bool)
    if cells.dtype != object:
        return np.full(len(cells), np.nan), ~missing
    known = {text: _day(text, form) for text in set(cells[~missing])}  # dates repeat, and reading one takes long
    values = np.array([math.nan if absent else known[cell] for cell, absent in zip(cells, missing)], dtype=np.float64)
    return values, np.isnan(values) & ~missing


def date_formats(texts: Collection[str]) -> list[str]:
    """The date formats every text fits; more than one where day and month can't be told apart."""
    if not texts or not all(STARTS_LIKE_A_DATE.match(text) for text in texts):
        return []
    formats = [form for form in (ISO, *DATE_FORMATS) if not any(math.isnan(_day(text, form)) for text in texts)]
    return formats[:1] if ISO in formats else formats


def _day(text: str, form: str) -> float:
    try:
        moment = datetime.fromisoformat(text) if form == ISO else datetime.strptime(text, form)
    except ValueError:
        return math.nan
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)  # a time without a zone is counted as it stands, on every machine alike
    return moment.timestamp() / SECONDS_IN_A_DAY
