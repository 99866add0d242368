"""Tables for networks: how columns become inputs and the target a loss's target; fitted once, saved, re-applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import CheckpointError, DataError
from .cells import CellRules
from .columns import IgnoredColumn, InputColumn, column_from_dict, column_to_dict
from .infer import as_wishes, infer_columns
from .predictions import Predictions
from .table import Table
from .target import Target, Task, infer_target, require_labels, target_from_dict, target_to_dict

FORMAT = 1


@dataclass(frozen=True)
class TableEncoder:
    """Turns tables of the same columns into arrays, and outputs into predictions; see `fit`.

    >>> from chainrule.data import table_from_columns
    >>> table = table_from_columns({"colour": ["red", "blue"] * 2, "size": [1, 2, 3, 4], "sold": list("ynyn")})
    >>> encoder = TableEncoder.fit(table, target="sold")
    >>> x, y = encoder.encode(table)
    >>> x.shape, y.tolist(), encoder.target.classes
    ((4, 3), [1, 0, 1, 0], ('n', 'y'))
    """

    target: Target
    columns: tuple[InputColumn, ...]
    rules: CellRules
    drop_missing_labels: bool = False

    @classmethod
    def fit(
        cls,
        table: Table,
        target: str,
        *,
        task: Task | None = None,
        numbers: Sequence[str] = (),
        categories: Sequence[str] = (),
        dates: Sequence[str] | Mapping[str, str | None] = (),
        ignore: Sequence[str] = (),
        missing: Sequence[str] = (),
        decimal: str = ".",
        thousands: str = "",
        drop_missing_labels: bool = False,
        category_limit: int = 50,
    ) -> TableEncoder:
        """Find out what each column means, and fit scales and categories to this table (give it the training rows).

        Numbers are scaled to mean 0 and deviation 1; missing ones become the median and are marked. Text is one-hot:
        the `category_limit` most frequent names in at least 0.5 % of the rows, the rest put together. Dates become
        days and their place in year and week. Constant columns, row identifiers and texts that hardly repeat are
        ignored. A target of text or of few whole numbers makes it classification, other numbers regression.
        `numbers`, `categories`, `dates` (names, or name -> strptime format), `ignore` and `task` go before what is
        found out; `missing` adds words for an empty cell. Raises DataError naming file, column and rows.
        """
        rules = CellRules(tuple(missing), decimal, thousands)
        wishes = as_wishes(numbers, categories, dates, ignore, category_limit)
        table.column(target)
        wishes.check(table)
        labelled = require_labels(table, target, rules, drop_missing_labels)
        fitted_target = infer_target(labelled, target, rules, task, target in wishes.categories)
        columns = infer_columns(labelled, target, rules, wishes)
        return cls(fitted_target, tuple(columns), rules, drop_missing_labels)

    @property
    def task(self) -> Task:
        """ "classification" or "regression"."""
        return self.target.task

    @property
    def features(self) -> tuple[str, ...]:
        """A name for each input of the network."""
        return tuple(feature for column in self.columns for feature in column.features)

    @property
    def outputs(self) -> int:
        """How many outputs the network needs: the number of classes, or 1."""
        return self.target.outputs

    def encode(self, table: Table) -> tuple[NDArray[np.float32], NDArray[Any]]:
        """(inputs float32 (rows, features), targets): int64 (rows,) for classes, float32 (rows, 1) for numbers."""
        return self.encode_labelled(self.labelled(table))

    def encode_labelled(self, table: Table) -> tuple[NDArray[np.float32], NDArray[Any]]:
        """The same of rows that all have a label, as `labelled` gives them."""
        return self.encode_features(table), self.target.encode(table, self.rules)

    def encode_features(self, table: Table) -> NDArray[np.float32]:
        """Inputs alone, float32 (rows, features), for prediction: the target may be missing. Keeps every row."""
        needed = [column.name for column in self.columns if column.features]
        absent = [name for name in needed if name not in table.columns]
        if absent:
            raise DataError(
                f"{table.source} lacks the column{'s' if len(absent) > 1 else ''} {', '.join(map(repr, absent))} "
                f"that the network was trained on; it has the columns {', '.join(map(repr, table.names))}"
            )
        parts = [column.encode(table, self.rules) for column in self.columns]
        return self._as_float32(table, np.concatenate(parts, axis=1))

    def labelled(self, table: Table, is_part: bool = False) -> Table:
        """The rows `encode` encodes: without those that lack a label, if this was asked for in `fit`.

        is_part: of a longer table, so that none of its rows need have one.
        """
        return require_labels(table, self.target.name, self.rules, self.drop_missing_labels, is_part)

    def decode(self, outputs: ArrayLike) -> Predictions:
        """A network's outputs (rows, outputs), before softmax for classes, in the table's own terms."""
        return self.target.decode(outputs)

    def describe(self) -> list[str]:
        """One line per column: what it was taken for."""
        lines = [f"{self.target.name}: the target, {self.target.describe()}"]
        return lines + [f"{column.name}: {column.describe()}" for column in self.columns]

    @property
    def ignored(self) -> dict[str, str]:
        """The columns not learnt from, with the reason."""
        return {column.name: column.reason for column in self.columns if isinstance(column, IgnoredColumn)}

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-ready values; JSON keeps every bit of the numbers."""
        return {
            "format": FORMAT,
            "target": target_to_dict(self.target),
            "columns": [column_to_dict(column) for column in self.columns],
            "rules": self.rules.to_dict(),
            "drop_missing_labels": self.drop_missing_labels,
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> TableEncoder:
        """The inverse of `to_dict`; raises CheckpointError on anything else."""
        if state.get("format") != FORMAT:
            raise CheckpointError(f"expected a table encoder of format {FORMAT}, got format {state.get('format')!r}")
        try:
            return cls(
                target_from_dict(state["target"]),
                tuple(column_from_dict(column) for column in state["columns"]),
                CellRules.from_dict(state["rules"]),
                bool(state["drop_missing_labels"]),
            )
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"the saved table encoder is damaged: {error!r}") from error

    def _as_float32(self, table: Table, features: NDArray[np.float64]) -> NDArray[np.float32]:
        too_large = np.abs(features) > np.finfo(np.float32).max
        if too_large.any():
            row, place = np.argwhere(too_large)[0]
            raise DataError(f"{table.source}, {table.places([row])}: {self.features[place]!r} is too large for float32")
        return features.astype(np.float32)
