"""The history of a run as curves: each figure with its validation beside it, and the learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..html.charts import Series, line_chart
from ..html.document import Section
from ..html.markup import Markup, element
from ..html.numbers import show

NOT_FIGURES = ("epoch", "step", "seconds", "lr")
NAMES = {"loss": "Loss", "accuracy": "Accuracy", "lr": "Learning rate", "error": "Mean absolute error"}
LOGARITHMIC_FROM = 30.0
"""Losses that fall by more than this factor are drawn on a logarithmic axis."""

Row = dict[str, Any]


def curves_section(rows: Sequence[Row], headings: dict[str, str] | None = None) -> Section:
    """One chart for each figure."""
    names = NAMES | (headings or {})
    charts = [_chart(rows, name, names.get(name, name)) for name in _figures(rows)]
    if any("lr" in row for row in rows):
        charts.append(line_chart("Learning rate", _epochs(rows), [Series("learning rate", _column(rows, "lr"))]))
    body = element("div", charts, class_="grid-of")
    return Section("curves", "How it learned", element("div", _facts(rows, names), body))


def _figures(rows: Sequence[Row]) -> list[str]:
    columns = dict.fromkeys(name for row in rows for name in row)
    return [name for name in columns if name not in NOT_FIGURES and not name.startswith("val_")]


def _chart(rows: Sequence[Row], name: str, title: str) -> Markup:
    series = [Series("training", _column(rows, name))]
    if any(f"val_{name}" in row for row in rows):
        series.append(Series("validation", _column(rows, f"val_{name}")))
    known = [y for each in series for y in each.ys if y is not None]
    falls = name == "loss" and min(known, default=0) > 0 and max(known) > LOGARITHMIC_FROM * min(known)
    return line_chart(title, _epochs(rows), series, logarithmic=falls, note="logarithmic axis" if falls else "")


def _epochs(rows: Sequence[Row]) -> list[float]:
    return [float(row["epoch"]) for row in rows]


def _column(rows: Sequence[Row], name: str) -> list[float | None]:
    return [None if row.get(name) is None else float(row[name]) for row in rows]


def _facts(rows: Sequence[Row], names: dict[str, str]) -> Markup | None:
    if not rows:
        return element("p", "No epoch has ended yet.", class_="note")
    last = rows[-1]
    shown = [(names.get(name, name), show(last[name], 4)) for name in last if name not in (*NOT_FIGURES, "epoch")]
    shown = [(_readable(name), text) for name, text in shown]
    return facts([("epochs", str(last["epoch"])), *shown, ("seconds", show(last.get("seconds", 0.0), 3))])


def _readable(name: str) -> str:
    return f"validation {name.removeprefix('val_')}" if name.startswith("val_") else name.lower()


def facts(pairs: Sequence[tuple[str, str | Markup]]) -> Markup:
    """Names with large figures."""
    return element(
        "dl", (element("div", element("dt", name), element("dd", text)) for name, text in pairs), class_="facts"
    )
