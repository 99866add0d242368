"""How good the answers are: confusion matrix or residuals, and the worst mistakes with what they were made on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...ir.types import NumpyArray
from ..html.charts import histogram, scatter
from ..html.document import Section
from ..html.markup import Markup, element, json_script, table
from ..html.numbers import percent, plain, show
from ..html.png import address, picture
from .curves import facts

MOST_CLASSES = 40
MOST_POINTS = 400
BINS = 24


@dataclass(frozen=True, eq=False)
class Mistake:
    """One wrong answer. image: (channels, height, width) in the range it was trained on; cells: of a table's row."""

    row: int
    wanted: str
    answer: str
    detail: str
    image: NumpyArray | None = None
    cells: tuple[tuple[str, str], ...] = ()


def confusion_section(classes: Sequence[str], matrix: NumpyArray, title: str, baseline: float | None) -> Section:
    """A row for each true class, a column for each answer."""
    total, right = int(matrix.sum()), int(np.trace(matrix))
    shown = [("accuracy", percent(right / max(1, total))), ("right", f"{right} of {total}")]
    shown += [("always the commonest", percent(baseline))] if baseline is not None else []
    data = json_script(plain({"classes": list(classes), "matrix": matrix}), class_="data")
    body = _matrix(classes, matrix) if len(classes) <= MOST_CLASSES else _weakest(classes, matrix)
    return Section("results", f"{title}: what it takes for what", element("div", facts(shown), body, data))


def _matrix(classes: Sequence[str], matrix: NumpyArray) -> Markup:
    largest = max(1, int((matrix - np.diag(np.diag(matrix))).max()))
    found = np.diag(matrix) / np.maximum(1, matrix.sum(axis=1))
    rows = []
    for row, name in enumerate(classes):
        cells = [
            _cell(int(number), row == column, largest, matrix[row].sum()) for column, number in enumerate(matrix[row])
        ]
        rows.append(element("tr", element("th", name, scope="row"), cells, element("td", percent(float(found[row])))))
    heads = element("tr", (element("th", each, scope="col") for each in ("", *classes, "found")))
    caption = element("caption", "A row for each true class, a column for each answer")
    whole = element("table", caption, element("thead", heads), element("tbody", rows), class_="confusion")
    return element("div", whole, class_="scrolls", tabindex=0, role="region", aria_label="Confusion matrix")


def _cell(number: int, is_right: bool, largest: int, of_class: int) -> Markup:
    share = 100 * (number / max(1, of_class) * 0.7 if is_right else number / largest * 0.7)
    kind = "none" if number == 0 else "right" if is_right else "wrong"
    return element(
        "td", number or "·", class_=kind, style=f"--share:{share:.0f}" if number else "--cell:transparent;--share:0"
    )


def _weakest(classes: Sequence[str], matrix: NumpyArray) -> Markup:
    found = np.diag(matrix) / np.maximum(1, matrix.sum(axis=1))
    order = np.argsort(found, kind="stable")[:MOST_CLASSES]
    rows = [(classes[n], int(matrix[n].sum()), percent(float(found[n]))) for n in order]
    return table(("class", "examples", "found"), rows, "The classes it finds least often")


def residuals_section(predicted: NumpyArray, wanted: NumpyArray, target: str, title: str) -> Section:
    """Answers against what was wanted, in the target's own units, and how the errors are spread."""
    errors = predicted - wanted
    variance = float(wanted.var())
    shown = [
        ("mean absolute error", show(float(np.abs(errors).mean()), 5)),
        ("root mean square error", show(float((errors**2).mean()) ** 0.5, 5)),
        ("variance explained", percent(1 - float((errors**2).mean()) / variance) if variance else "–"),
        ("examples", str(len(errors))),
    ]
    few = slice(None, None, max(1, -(-len(errors) // MOST_POINTS)))
    points = scatter(
        f"{target}: answers over true values", wanted[few].tolist(), predicted[few].tolist(), "true", "answer"
    )
    counts, edges = np.histogram(errors, BINS)
    spread = histogram("Errors: answer less true value", edges.tolist(), counts.tolist(), "error")
    body = element("div", facts(shown), element("div", points, spread, class_="grid-of"))
    return Section("results", f"{title}: how far off it is", body)


def mistakes_section(mistakes: Sequence[Mistake], things: str) -> Section:
    """The worst answers."""
    lead = "The answers that cost most, worst first."
    if not mistakes:
        return Section("mistakes", "Worst mistakes", element("p", f"No mistakes on these {things}.", class_="note"))
    if mistakes[0].image is not None:
        body = element("div", (_pictured(each) for each in mistakes), class_="gallery")
    else:
        body = _listed(mistakes)
    return Section("mistakes", "Worst mistakes", body, lead=lead)


def _pictured(mistake: Mistake) -> Markup:
    said = f"Example {mistake.row}: {mistake.wanted}, taken for {mistake.answer}"
    image = element("img", src=address(picture(mistake.image)), alt=said) if mistake.image is not None else None
    caption = (
        element("b", mistake.wanted),
        f" taken for {mistake.answer}",
        element("span", mistake.detail, class_="note"),
    )
    return element("figure", image, element("figcaption", caption))


def _listed(mistakes: Sequence[Mistake]) -> Markup:
    names = [name for name, _ in mistakes[0].cells]
    rows = [
        (str(each.row), each.wanted, each.answer, each.detail, *(text for _, text in each.cells)) for each in mistakes
    ]
    return table(("row", "true", "answer", "", *names), rows, "Rows as they are in the data")
