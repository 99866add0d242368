"""Gradient flow on a page: where the error gets through, where units are dead, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

from ..flow_record import Flow, FlowFinding, FlowRow
from ..html.charts import Series, line_chart
from ..html.document import Section
from ..html.markup import Content, Markup, element, table
from ..html.numbers import percent, show

LEAD = "How large the error's derivative and the updates are in each layer, and which units take no part."
MOST_CURVES = 6
CHARTS = (
    ("gradient_norm", "Length of the gradient"),
    ("update_ratio", "Update over weight"),
    ("cotangent_size", "Size of ∂E/∂output"),
)


def flow_section(flow: Flow) -> Section:
    """What is wrong first, then the curves, then the last step layer by layer."""
    findings = [_finding(each) for each in flow.findings] or [_fine()]
    charts = [_chart(flow, field, title) for field, title in CHARTS] if len(flow.steps) > 1 else []
    last = flow.at(flow.steps[-1]) if flow.steps else ()
    caption = f"After {last[0].step} updates" if charts else "Layer by layer"
    body = element("div", findings, element("div", charts, class_="grid-of") if charts else None, _table(last, caption))
    return Section("flow", "Does the error get through", body, lead=LEAD)


Flow.section = flow_section


def _finding(finding: FlowFinding) -> Markup:
    where = f"{finding.layer} {finding.kind}: {finding.problem}"
    return element("div", element("b", where), " ", finding.what, " ", element("em", finding.advice), class_="finding")


def _fine() -> Markup:
    text = "Nothing to object to: no vanishing or exploding gradient, no dead or saturated layer was seen."
    return element("div", text, class_="finding fine")


def _chart(flow: Flow, field: str, title: str) -> Markup:
    rows = {layer: [getattr(row, field) for row in flow.of(layer)] for layer in flow.layers}
    known = {layer: ys for layer, ys in rows.items() if any(y is not None and y > 0 for y in ys)}
    series = [Series(_name(flow.of(layer)[0]), ys) for layer, ys in list(known.items())[:MOST_CURVES]]
    return line_chart(title, list(flow.steps), series, "updates", logarithmic=True, note="logarithmic axis")


def _table(rows: Sequence[FlowRow], caption: str) -> Markup:
    heads = ("layer", "activation", "zeros", "saturated", "dead units", "∂E/∂output", "gradient", "update / weight")
    made = [_row(each) for each in rows]
    return table(heads, made, caption if rows else "Nothing was recorded")


def _row(row: FlowRow) -> list[Content]:
    mean, deviation = row.activation_mean, row.activation_deviation
    return [
        _name(row),
        "–" if mean is None or deviation is None else f"{show(mean, 3)} ± {show(deviation, 3)}",
        *("–" if share is None else percent(share) for share in (row.zero_share, row.saturated_share)),
        "–" if row.dead_units is None else f"{row.dead_units} of {row.units}",
        *("–" if x is None else show(x, 4) for x in (row.cotangent_size, row.gradient_norm, row.update_ratio)),
    ]


def _name(row: FlowRow) -> str:
    return f"{row.layer} {row.kind}" if row.layer else row.kind
