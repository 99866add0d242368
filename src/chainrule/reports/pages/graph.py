"""The view of a computation graph: folded by module, opened down to single equations (graph.js)."""

from __future__ import annotations

from typing import Any

from ..graph import ProgramGraph
from ..graph_node import Node
from ..html.document import Section
from ..html.markup import Markup, element, json_script
from ..html.numbers import count, plain, show

LEAD = (
    "What the program computes, and how the error comes back through it. Boxes with a blue edge are folded: open one "
    "with a click or Enter. Choose an equation to see its formula, its numbers, and the rule that carries its gradient."
)
PHASES = ("forward", "backward", "update")


def graph_section(graph: ProgramGraph, name: str = "graph", title: str = "") -> Section:
    """The graph as a section of a page."""
    equations = f"{count(graph.equations)} equations"
    facts = equations if graph.loss is None else f"{equations}; the loss here is {show(graph.loss)}"
    return Section(name, title or f"The graph of {graph.name}", graph_figure(graph, facts), SCRIPTS, LEAD)


ProgramGraph.section = graph_section


SCRIPTS = ("dagre.min.js", "graph.js")


def graph_figure(graph: ProgramGraph, facts: str) -> Markup:
    """The canvas, its controls, the panel beside it, and the data."""
    buttons = (
        ("out", "−", "Smaller"),
        ("in", "+", "Larger"),
        ("fold", "Fold all", None),
        ("unfold", "Open more", None),
    )
    phases = [element("option", "forward and backward", value="all"), *(element("option", p, value=p) for p in PHASES)]
    controls = element(
        "div",
        element("label", "Show ", element("select", phases, class_="phase")),
        (element("button", text, type="button", data_do=do, aria_label=label) for do, text, label in buttons),
        element("span", facts, class_="note"),
        class_="controls",
    )
    canvas = element("div", class_="canvas", role="group", aria_label="Computation graph")
    hint = element("p", "Choose a box. Arrow keys follow the edges, Enter opens and closes.", class_="note")
    panel = element("div", hint, class_="panel", aria_live="polite")
    body = element("div", canvas, panel, class_="graph")
    return element("div", controls, body, json_script(graph_data(graph), class_="data"), data_graph=True)


def graph_data(graph: ProgramGraph) -> Any:
    """Nodes as rows whose texts are numbers into a common list, so that large graphs stay small."""
    texts: dict[str, int] = {}

    def number(text: str) -> int:
        return texts.setdefault(text, len(texts))

    def row(node: Node) -> list[Any]:
        return [
            node.name,
            number(node.kind),
            number(node.phase),
            number(node.type),
            number(node.formula),
            [number(each) for each in node.arguments],
            list(node.inputs),
            number(node.rule),
            number(node.source),
            -1 if node.derives is None else node.derives,
            None if node.value is None else node.value.row(),
            None if node.gradient is None else node.gradient.row(),
        ]

    rows = [row(node) for node in graph.nodes]
    return plain({"nodes": rows, "texts": list(texts), "tree": graph.tree.data()})
