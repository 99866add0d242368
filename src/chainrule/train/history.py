"""The history of a run: one row of figures an epoch."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..errors import unknown_name

Row = dict[str, Any]


@dataclass
class History:
    """What `fit` gives: `history["val_loss"]` is a column, `history.rows` are the epochs.

    interrupted: Ctrl-C ended it (resume goes on). stopped_early: early stopping or a callback ended it.
    best_epoch: the epoch whose weights were kept, counted from 1; None without early stopping.
    """

    rows: list[Row] = field(default_factory=list)
    interrupted: bool = False
    stopped_early: bool = False
    best_epoch: int | None = None
    run_directory: str | None = None

    @property
    def columns(self) -> list[str]:
        """Names of the figures."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def __getitem__(self, column: str) -> list[Any]:
        if column not in self.columns:
            raise unknown_name("column of the history", column, self.columns)
        return [row.get(column) for row in self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    @property
    def last(self) -> Row:
        """The figures of the last epoch; empty before the first."""
        return self.rows[-1] if self.rows else {}

    view: ClassVar[Callable[[History], str] | None] = None
    """How a notebook shows it: reports lie above training, and put their curves here."""

    def _repr_html_(self) -> str | None:
        return None if History.view is None else History.view(self)

    def to_csv(self) -> str:
        """The rows as CSV; numbers are written so that reading them gives the same bits."""
        import csv  # only here: it is not needed to train

        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _exact(value) for name, value in row.items()} for row in self.rows)
        return text.getvalue()


def _exact(value: Any) -> Any:
    return repr(value) if isinstance(value, float) else value
