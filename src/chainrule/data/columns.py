"""What a network reads of each column: how a number, a category or a date becomes inputs, fitted once and kept."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .cells import CellRules, number_text
from .table import Table
from .values import read_days, read_numbers

Features: TypeAlias = NDArray[np.float64]  # (rows, features)
YEAR, WEEK = 365.2425, 7.0  # days


class InputColumn(Protocol):
    """A fitted column: turns cells into features."""

    @property
    def name(self) -> str: ...

    @property
    def features(self) -> tuple[str, ...]: ...

    def encode(self, table: Table, rules: CellRules) -> Features: ...

    def describe(self) -> str: ...


@dataclass(frozen=True)
class Scale:
    """Standard scaling, kept with the data's middle: (value - mean) / deviation."""

    mean: float
    deviation: float
    median: float

    @classmethod
    def fit(cls, values: NDArray[np.float64]) -> Scale:
        """From the values that are no NaN. A column that never varies keeps deviation 1."""
        present = values[~np.isnan(values)]
        peak = float(np.abs(present).max()) or 1.0  # divided out first, so that squares of large numbers stay finite
        deviation = float((present / peak).std()) * peak
        mean = float((present / peak).mean()) * peak
        return cls(mean, deviation if deviation > 0 else 1.0, float(np.median(present)))

    def encode(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scaled; the median in place of NaN."""
        return (np.where(np.isnan(values), self.median, values) - self.mean) / self.deviation

    def decode(self, scaled: NDArray[np.float64]) -> NDArray[np.float64]:
        return scaled * self.deviation + self.mean


@dataclass(frozen=True)
class NumberColumn:
    """A number: one scaled feature, and one that says where it was missing, if it ever was."""

    name: str
    scale: Scale
    may_be_missing: bool

    @classmethod
    def fit(cls, table: Table, name: str, rules: CellRules) -> NumberColumn:
        values = read_numbers(table, name, rules)
        return cls(name, Scale.fit(values), bool(np.isnan(values).any()))

    @property
    def features(self) -> tuple[str, ...]:
        return (self.name, f"{self.name} is missing") if self.may_be_missing else (self.name,)

    def encode(self, table: Table, rules: CellRules) -> Features:
        values = read_numbers(table, self.name, rules)
        columns = [self.scale.encode(values)]
        if self.may_be_missing:
            columns.append(np.isnan(values).astype(np.float64))
        return np.stack(columns, axis=1)

    def describe(self) -> str:
        missing = f"; missing ones become the median {self.scale.median:.6g}, and are marked"
        scale = f"number, mean {self.scale.mean:.6g}, standard deviation {self.scale.deviation:.6g}"
        return scale + (missing if self.may_be_missing else "")


@dataclass(frozen=True)
class CategoryColumn:
    """One of several names: one feature each (one-hot), one for all rare names and one for missing if there were any.

    A name never seen when fitted counts as a rare one; where nothing was rare it gives zeros, which say nothing, since
    a feature that was always zero in training would have untrained weights. The same for missing.
    """

    name: str
    categories: tuple[str, ...]
    others: int  # how many rare names were put together when fitted
    may_be_missing: bool

    @classmethod
    def fit(cls, table: Table, name: str, rules: CellRules, limit: int, least: int) -> CategoryColumn:
        """Keeps at most `limit` names, each in at least `least` rows: the most frequent, in alphabetical order."""
        cells = table.column(name)
        missing = rules.is_missing(cells)
        counts = Counter(text for text, absent in zip(rules.texts(cells), missing) if not absent)
        ranked = sorted(counts, key=lambda text: (-counts[text], text))
        kept = [text for text in ranked[:limit] if counts[text] >= least]
        return cls(name, tuple(sorted(kept)), len(counts) - len(kept), bool(missing.any()))

    @property
    def features(self) -> tuple[str, ...]:
        names = [f"{self.name} = {category}" for category in self.categories]
        other = [f"{self.name} is another"] if self.others else []
        return (*names, *other, f"{self.name} is missing") if self.may_be_missing else (*names, *other)

    def encode(self, table: Table, rules: CellRules) -> Features:
        cells = table.column(self.name)
        places = {category: place for place, category in enumerate(self.categories)}
        other, absent = len(places), len(places) + 1
        kept = [*range(len(places)), *([other] if self.others else []), *([absent] if self.may_be_missing else [])]
        missing = rules.is_missing(cells)
        chosen = [
            absent if is_missing else _place(text, places, other, rules)
            for text, is_missing in zip(rules.texts(cells), missing)
        ]
        return np.eye(len(places) + 2)[:, kept][np.array(chosen, dtype=np.int64)]

    def describe(self) -> str:
        shown = ", ".join(self.categories[:6]) + (", ..." if len(self.categories) > 6 else "")
        other = f"; {self.others} rare ones count as another" if self.others else ""
        return f"category, one of {len(self.categories)}: {shown}{other}"


@dataclass(frozen=True)
class DateColumn:
    """A date: days since 1970, scaled, and its place in the year and in the week as points on a circle."""

    name: str
    form: str
    scale: Scale
    may_be_missing: bool

    @classmethod
    def fit(cls, table: Table, name: str, rules: CellRules, form: str) -> DateColumn:
        values = read_days(table, name, rules, form)
        return cls(name, form, Scale.fit(values), bool(np.isnan(values).any()))

    @property
    def features(self) -> tuple[str, ...]:
        parts = ("", ", year sine", ", year cosine", ", week sine", ", week cosine")
        names = tuple(f"{self.name}{part}" for part in parts)
        return (*names, f"{self.name} is missing") if self.may_be_missing else names

    def encode(self, table: Table, rules: CellRules) -> Features:
        values = read_days(table, self.name, rules, self.form)
        missing = np.isnan(values)
        columns = [self.scale.encode(values)]
        for period in (YEAR, WEEK):
            angle = 2 * math.pi * np.where(missing, 0.0, values) / period
            columns += [np.where(missing, 0.0, np.sin(angle)), np.where(missing, 0.0, np.cos(angle))]
        if self.may_be_missing:
            columns.append(missing.astype(np.float64))
        return np.stack(columns, axis=1)

    def describe(self) -> str:
        return f"date ({self.form}), as days and its place in year and week"


@dataclass(frozen=True)
class IgnoredColumn:
    """A column that is not read, and why."""

    name: str
    reason: str

    @property
    def features(self) -> tuple[str, ...]:
        return ()

    def encode(self, table: Table, rules: CellRules) -> Features:
        return np.empty((len(table), 0))

    def describe(self) -> str:
        return f"ignored: {self.reason}"


KINDS: Mapping[str, type[Any]] = {
    "number": NumberColumn,
    "category": CategoryColumn,
    "date": DateColumn,
    "ignored": IgnoredColumn,
}


def column_to_dict(column: InputColumn) -> dict[str, Any]:
    """A fitted column as JSON-ready values; floats keep every bit."""
    kind = next(kind for kind, cls in KINDS.items() if type(column) is cls)
    state = asdict(column)  # type: ignore[call-overload]
    if "categories" in state:
        state["categories"] = list(state["categories"])
    return {"kind": kind, **state}


def column_from_dict(state: Mapping[str, Any]) -> InputColumn:
    """The inverse of `column_to_dict`."""
    values = {key: value for key, value in state.items() if key != "kind"}
    if "scale" in values:
        values["scale"] = Scale(**values["scale"])
    if "categories" in values:
        values["categories"] = tuple(values["categories"])
    column: InputColumn = KINDS[state["kind"]](**values)
    return column


def _place(text: str, places: Mapping[str, int], other: int, rules: CellRules) -> int:
    if text in places:
        return places[text]
    value = rules.number(text)
    return other if math.isnan(value) else places.get(number_text(value), other)
