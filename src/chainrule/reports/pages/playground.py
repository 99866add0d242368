"""The page of the playground: what there is before learn.js draws the network and works its numbers out."""

from __future__ import annotations

from typing import Any

from ..html.document import Document, Section
from ..html.markup import Markup, element, json_script
from ..playground import ACTIVATIONS
from ..playground_data import PROBLEMS, planar_data
from ..playground_session import Session

LEAD = (
    "One example goes forward through the network, its error comes back, and every weight learns its share of it: the "
    "derivative of the error by that weight. Step through it, and choose a weight or unit to see how it is worked out."
)
HIDDEN = ("2", "3", "4", "6", "3, 3", "4, 4")
RATES = ("0.03", "0.1", "0.3", "0.5", "1", "3")


def playground_page(session: Session) -> str:
    """The whole page; what happens on it is asked of the session through a LoopbackServer."""
    section = Section("playground", "One cycle of backpropagation", _body(session.state()), ("learn.js",), LEAD)
    return Document("Chainrule playground", [section], "Every number here is computed by the engine.").text()


def _body(state: dict[str, Any]) -> Markup:
    choices = element(
        "div",
        _select("problem", "Problem", [(name, planar_data(name).title) for name in PROBLEMS]),
        _select("hidden", "Hidden units", [(each, each) for each in HIDDEN]),
        _select("activation", "Their function", [(name, name) for name in ACTIVATIONS]),
        _select("rate", "Learning rate", [(each, each) for each in RATES]),
        element("button", "New weights", type="button", data_do="again"),
        class_="controls",
    )
    steps = element(
        "div",
        element("button", "‹ Back", type="button", data_do="back"),
        element("button", "Next ›", type="button", data_do="next", class_="main"),
        element("button", "Next example", type="button", data_do="cycle"),
        element("button", "1 sweep", type="button", data_do="sweep", data_sweeps=1),
        element("button", "100 sweeps", type="button", data_do="sweep", data_sweeps=100),
        class_="controls",
    )
    net = element("figure", element("figcaption"), element("div", class_="net"), element("output", class_="reading"))
    plane = element("figure", element("figcaption", "What it answers in the plane"), element("div", class_="plane"))
    errors = element("figure", element("figcaption", "Mean error"), element("div", class_="errors"))
    panel = element("div", class_="panel worked", aria_live="polite")
    left = element(
        "div", element("ol", class_="stages"), steps, net, element("div", plane, errors, class_="grid-of pair")
    )
    whole = element("div", left, panel, class_="playground")
    return element("div", choices, whole, json_script(state, class_="data"), data_learn=True)


def _select(name: str, title: str, options: list[tuple[str, str]]) -> Markup:
    made = (element("option", text, value=value) for value, text in options)
    return element("label", title, " ", element("select", made, name=name))
