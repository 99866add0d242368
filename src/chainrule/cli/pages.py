"""What a run has learned, as a page on the screen: accuracy or error beside the baseline, and where it goes wrong."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from rich.text import Text

from . import display
from .drawing import beside, drawn
from .results import ClassResult, NumberResult, Result
from .source import Kind

MOST_COLUMNS = 15
MOST_ROWS = 20
MOST_CONFUSIONS = 5
MOST_DRAWN = 3


def result_page(screen: Console, result: Result, title: str, things: str = "examples") -> None:
    """All there is to say about a measured result."""
    if isinstance(result, NumberResult):
        number_page(screen, result, title)
    else:
        class_page(screen, result, title, things)


def class_page(screen: Console, result: ClassResult, title: str, things: str) -> None:
    screen.print()
    line = Text(f"{title} accuracy  ", style="bold")
    line.append(display.percent(result.accuracy, 2), style="bold green")
    line.append(f"   {result.correct:,} of {result.count:,} {things}", style="default not bold")
    screen.print(line)
    always = f"always answering {display.label(result.baseline_class)!r}"
    display.facts(screen, [("baseline", f"{display.percent(result.baseline, 2)}, {always}")])
    if len(result.classes) <= MOST_COLUMNS and _matrix_width(result) <= screen.width:
        display.heading(screen, "Confusion matrix: a row for each true class, a column for each answer")
        display.show(screen, _matrix(result, "·" if display.has_blocks(screen) else "."))
    else:
        display.heading(screen, "The classes it finds least often")
        display.show(screen, _weakest(result))
    _confusions(screen, result)


def number_page(screen: Console, result: NumberResult, title: str) -> None:
    display.heading(screen, f"{title} error of {result.target!r}, on {display.count(result.count, 'row')}")
    table = display.table("", "this network", "always the mean", left=("",))
    rows = (
        ("mean absolute error", result.mean_absolute_error, result.baseline_mean_absolute_error),
        ("root mean square error", result.root_mean_square_error, result.baseline_root_mean_square_error),
    )
    for name, own, baseline in rows:
        table.add_row(name, display.number(own), display.number(baseline))
    own_share, baseline_share = (_r_squared(value) for value in (result.r_squared, result.baseline_r_squared))
    table.add_row(
        "variance explained (R²)" if display.has_blocks(screen) else "variance explained (R2)",
        own_share,
        baseline_share,
    )
    display.show(screen, table)
    screen.print(_verdict(result), style="dim")


def _verdict(result: NumberResult) -> str:
    """The first two rows in words; errors are in the target's own units."""
    own, mean = result.mean_absolute_error, result.baseline_mean_absolute_error
    answer = display.number(result.mean)
    if own >= mean:
        return f"  No better than always answering {answer}: perhaps these columns don't tell {result.target!r}."
    return f"  A prediction is off by {display.number(own)} on average; the mean, {answer}, by {display.number(mean)}."


def _r_squared(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"


def _matrix_width(result: ClassResult) -> int:
    names = [len(display.label(name)) for name in result.classes]
    cells = len(str(result.matrix.max()))
    return display.INDENT + max(names) + sum(max(name, cells) + 2 for name in names) + 12


def _matrix(result: ClassResult, nothing: str) -> Table:
    names = [display.label(name) for name in result.classes]
    table = display.table("", *names, "found", left=("",))
    for row, name in enumerate(names):
        cells = [_cell(int(value), row == column, nothing) for column, value in enumerate(result.matrix[row])]
        table.add_row(Text(name, style="bold"), *cells, display.percent(result.recall[row]))
    return table


def _cell(value: int, is_right: bool, nothing: str) -> Text:
    if value == 0:
        return Text(nothing, style="dim")
    return Text(str(value), style="green" if is_right else "red")


def _weakest(result: ClassResult) -> Table:
    table = display.table("class", "examples", "found", "right when named", left=("class",))
    order = sorted(range(len(result.classes)), key=lambda place: (result.recall[place], place))
    totals = result.matrix.sum(axis=1)
    for place in [place for place in order if totals[place]][:MOST_ROWS]:
        found, right = display.percent(result.recall[place]), display.percent(result.precision[place])
        table.add_row(display.label(result.classes[place], 40), f"{totals[place]:,}", found, right)
    return table


def _confusions(screen: Console, result: ClassResult) -> None:
    confusions = result.confusions()
    if not confusions:
        screen.print("  No mistakes at all.", style="dim")
        return
    display.heading(screen, "Most often mistaken")
    pairs = [
        (f"{display.label(each.true)} taken for {display.label(each.predicted)}", each.count) for each in confusions
    ]
    display.facts(screen, [(pair, display.count(times, "time")) for pair, times in pairs[:MOST_CONFUSIONS]])


def things(kind: Kind) -> str:
    """What the examples of a data set are called."""
    return {"digits": "digits", "table": "rows", "images": "images"}[kind]


def mistakes(screen: Console, images: NDArray[Any], outputs: NDArray[Any], labels: NDArray[np.int64]) -> None:
    """The wrong answers the network was surest of, drawn: (n, 1, height, width), outputs (n, classes)."""
    answers = outputs.argmax(axis=1)
    margins = outputs.max(axis=1) - outputs[np.arange(len(labels)), labels]
    surest = [int(place) for place in np.argsort(-margins, kind="stable") if answers[place] != labels[place]]
    if not surest or not display.has_blocks(screen):
        return
    display.heading(screen, "The mistakes it is surest of")
    shown = surest[:MOST_DRAWN]
    captions = [f"{labels[place]}, taken for {answers[place]}" for place in shown]
    for line in beside([drawn(images[place, 0]) for place in shown], captions):
        screen.print(" " * display.INDENT + line)
