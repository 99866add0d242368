"""Curves, bars and scatter as SVG, sized so that their text is readable on a phone; the numbers go along as data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .markup import Markup, element, joined, json_script
from .numbers import plain, show

WIDTH, HEIGHT = 380, 230
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 10, 34
MOST_MARKS = 5
SERIES_COLOURS = 6


@dataclass(frozen=True)
class Series:
    """One curve; None is a gap."""

    name: str
    ys: Sequence[float | None]


@dataclass(frozen=True)
class Scale:
    """From numbers to pixels along one axis, straight or logarithmic."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """The pixel of a value."""
        low, high, at = (math.log10(each) if self.logarithmic else each for each in (self.low, self.high, value))
        return round(self.start + (at - low) / ((high - low) or 1) * (self.end - self.start), 2)

    def marks(self) -> list[float]:
        """Round numbers to write at the axis."""
        if self.logarithmic:
            return _powers(self.low, self.high)
        step = _round_step((self.high - self.low) / (MOST_MARKS - 1) or 1)
        first = math.ceil(self.low / step - 1e-9)
        return [number * step for number in range(first, math.floor(self.high / step + 1e-9) + 1)]


def line_chart(
    title: str,
    xs: Sequence[float],
    series: Sequence[Series],
    x_name: str = "epoch",
    logarithmic: bool = False,
    note: str = "",
) -> Markup:
    """Curves over a common x. Pointer and arrow keys read the numbers (chart.js)."""
    known = [y for each in series for y in each.ys if y is not None and (y > 0 or not logarithmic)]
    if not xs or not known:
        return element("figure", element("figcaption", title), element("p", "No figures yet.", class_="note"))
    across = Scale(min(xs), max(xs), LEFT, WIDTH - RIGHT)
    low, high = _limits(known, logarithmic)
    up = Scale(low, high, HEIGHT - BOTTOM, TOP, logarithmic)
    lines = [_curve(number, each, xs, across, up) for number, each in enumerate(series)]
    picture = _svg(title, joined([_axes(across, up, x_name), *lines]))
    data = {"x": list(xs), "names": [each.name for each in series], "series": [list(each.ys) for each in series]}
    places = {"across": [across.low, across.high, LEFT, WIDTH - RIGHT], "x_name": x_name}
    return element(
        "figure",
        element("figcaption", title, element("span", note, class_="note") if note else None),
        _legend([each.name for each in series]) if len(series) > 1 else None,
        picture,
        element("output", "Move over the curve, or use the arrow keys, to read it.", class_="reading"),
        json_script(plain(data | places), class_="data"),
        class_="chart",
        data_chart=True,
    )


def _curve(number: int, series: Series, xs: Sequence[float], across: Scale, up: Scale) -> Markup:
    """A path with gaps where figures are missing; a single figure is a dot."""
    commands, pen_down, points = [], False, []
    for x, y in zip(xs, series.ys):
        if y is None or not math.isfinite(y) or (up.logarithmic and y <= 0):
            pen_down = False
            continue
        points.append((across.place(x), up.place(y)))
        commands.append(f"{'L' if pen_down else 'M'}{points[-1][0]:g} {points[-1][1]:g}")
        pen_down = True
    style = f"series s{number % SERIES_COLOURS}"
    dots = [element("circle", cx=x, cy=y, r=3, class_=style + " dot") for x, y in points[-1:]]
    return joined([element("path", d=" ".join(commands), class_=style), *dots])


def _axes(across: Scale, up: Scale, x_name: str) -> Markup:
    parts = []
    for mark in up.marks():
        y = up.place(mark)
        parts.append(element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid"))
        parts.append(element("text", show(mark, 4), x=LEFT - 6, y=y + 4, text_anchor="end"))
    for mark in across.marks():
        parts.append(element("text", show(mark, 5), x=across.place(mark), y=HEIGHT - BOTTOM + 16, text_anchor="middle"))
    parts.append(element("text", x_name, x=WIDTH - RIGHT, y=HEIGHT - 3, text_anchor="end", class_="axis"))
    return joined(parts)


def bars(title: str, names: Sequence[str], values: Sequence[float], unit: str = "", note: str = "") -> Markup:
    """Bars to the right, a row each, its number beside it: HTML, so that names wrap and the text keeps its size."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0) or 1
    rows = [_bar(name, value, value / largest, unit) for name, value in zip(names, values)]
    caption = element("figcaption", title, element("span", note, class_="note") if note else None)
    return element("figure", caption, element("div", rows, class_="bars", role="list"), class_="barchart")


def _bar(name: str, value: float, share: float, unit: str) -> Markup:
    width = f"width:{100 * min(1, abs(share)):.2f}%" if math.isfinite(share) else "width:0"
    return element(
        "div",
        element("span", name, class_="name"),
        element("span", element("i", style=width, class_="below" if share < 0 else "above"), class_="track"),
        element("span", f"{show(value, 5)}{unit}", class_="value"),
        role="listitem",
        class_="bar",
    )


def scatter(title: str, xs: Sequence[float], ys: Sequence[float], x_name: str, y_name: str) -> Markup:
    """Points with the diagonal on which they would lie if both numbers were the same."""
    low, high = _limits([*xs, *ys], False)
    across, up = Scale(low, high, LEFT, WIDTH - RIGHT), Scale(low, high, HEIGHT - BOTTOM, TOP)
    diagonal = element("line", x1=LEFT, y1=HEIGHT - BOTTOM, x2=WIDTH - RIGHT, y2=TOP, class_="diagonal")
    dots = [
        element("circle", cx=across.place(x), cy=up.place(y), r=2.5, class_="series s0 dot") for x, y in zip(xs, ys)
    ]
    name = element("text", y_name, x=LEFT, y=TOP + 2, class_="axis")
    picture = _svg(title, joined([_axes(across, up, x_name), diagonal, *dots, name]))
    data = json_script(plain({"x": list(xs), "y": list(ys)}), class_="data")
    return element("figure", element("figcaption", title), picture, data, class_="chart")


def histogram(title: str, edges: Sequence[float], counts: Sequence[int], x_name: str) -> Markup:
    """How many values lie between each two edges."""
    across = Scale(edges[0], edges[-1], LEFT, WIDTH - RIGHT)
    up = Scale(0, max([*counts, 1]), HEIGHT - BOTTOM, TOP)
    columns = []
    for low, high, number in zip(edges, edges[1:], counts):
        box = {"x": across.place(low), "y": up.place(number), "height": round(up.start - up.place(number), 2)}
        width = max(1.0, round(across.place(high) - across.place(low) - 1, 2))
        hint = element("title", f"{show(low)} to {show(high)}: {number}")
        columns.append(element("rect", hint, width=width, **box, class_="series s0 column"))
    picture = _svg(title, joined([_axes(across, up, x_name), *columns]))
    data = json_script(plain({"edges": list(edges), "counts": list(counts)}), class_="data")
    return element("figure", element("figcaption", title), picture, data, class_="chart")


def _svg(title: str, contents: Markup) -> Markup:
    return element(
        "svg", contents, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=title, tabindex=0, focusable="true"
    )


def _legend(names: Sequence[str]) -> Markup:
    marks = [element("span", element("i", class_=f"s{n % SERIES_COLOURS}"), name) for n, name in enumerate(names)]
    return element("div", marks, class_="legend")


def _limits(values: Sequence[float], logarithmic: bool) -> tuple[float, float]:
    finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    if logarithmic:
        return (low, high) if high > low else (low / 2, high * 2)
    room = 0.04 * (high - low) or abs(high) * 0.1 or 1.0
    return (0.0 if 0 <= low < 0.35 * high else low - room), high + room


def _round_step(rough: float) -> float:
    """The next larger of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))


def _powers(low: float, high: float) -> list[float]:
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    step = max(1, math.ceil((last - first + 1) / MOST_MARKS))
    return [10.0**power for power in range(first, last + 1, step)] or [low, high]
