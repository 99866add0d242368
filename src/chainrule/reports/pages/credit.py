"""Credit on a page: which weights made the loss fall, which made it rise, layer by layer and weight by weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...ir.types import NumpyArray
from ..credit_record import Credit
from ..html.charts import Series, bars, line_chart
from ..html.document import Section
from ..html.maps import SCRIPTS, as_maps, maps_figure
from ..html.markup import Markup, element
from ..html.numbers import count, percent, show
from .curves import facts

LEAD = (
    "Loss Change Allocation (Lan and others, 2019): the change of the loss, divided among all weights by integrating "
    "gradient times movement along their way. Blue helped, orange hurt; the parts add up to the measured change."
)
HELPED, HURT = "helped", "hurt"


def credit_section(
    credit: Credit, image: tuple[int, ...] | None = None, weights: Mapping[str, NumpyArray] | None = None
) -> Section:
    """image: (channels, height, width) of the network's inputs. weights: their values, to be read beside the credit."""
    layers = credit.by_layer()
    names = [_layer_name(credit, layer) for layer in layers]
    parts = [
        facts(_facts(credit)),
        element(
            "div",
            bars("By layer", names, list(layers.values()), note="change of the loss"),
            _by_class(credit),
            _over_time(credit),
            _shares(credit),
            class_="grid-of",
        ),
        element("h3", "Weight by weight"),
        element("div", _maps(credit, image, weights or {}), class_="grid-of"),
    ]
    return Section("credit", "Which weights did it", element("div", parts), SCRIPTS, LEAD)


Credit.section = credit_section


def _facts(credit: Credit) -> list[tuple[str, Any]]:
    every = np.concatenate([each.ravel() for each in credit.weights.values()])
    helped, hurt = float((every < 0).mean()), float((every > 0).mean())
    return [
        ("loss before", show(credit.loss_before, 5)),
        ("loss after", show(credit.loss_after, 5)),
        ("sum of all credits", show(credit.total)),
        ("measured change", show(credit.change)),
        ("left over", show(credit.residual, 2)),
        ("within the tolerance", f"{int(credit.steps.converged.sum())} of {len(credit.steps)} spans"),
        ("weights", count(every.size)),
        ("helped", percent(helped)),
        ("hurt", percent(hurt)),
    ]


def _layer_name(credit: Credit, layer: str) -> str:
    kind = credit.kinds[credit.layers.index(layer)]
    return f"{layer} {kind}" if layer else kind


def _by_class(credit: Credit) -> Markup | None:
    found = credit.by_class()
    return (
        bars("By class", list(found), list(found.values()), note="its part of the change of the loss")
        if found
        else None
    )


def _over_time(credit: Credit) -> Markup | None:
    steps = credit.steps
    if len(steps) < 2:
        return None
    layers = list(dict.fromkeys(credit.layers))
    sums = {layer: np.zeros(len(steps)) for layer in layers}
    for place, layer in enumerate(credit.layers):
        sums[layer] += steps.credit[:, place]
    strongest = sorted(layers, key=lambda layer: -float(np.abs(sums[layer]).sum()))[:5]
    series = [Series(_layer_name(credit, each), np.cumsum(sums[each]).tolist()) for each in layers if each in strongest]
    return line_chart("Credit so far", steps.last.tolist(), series, "updates", note="layers that moved the loss most")


def _shares(credit: Credit) -> Markup | None:
    if len(credit.steps) < 2:
        return None
    xs = credit.steps.last.tolist()
    series = [Series(HELPED, credit.helped_share.tolist()), Series(HURT, credit.hurt_share.tolist())]
    return line_chart("Share of the weights that helped", xs, series, "updates", note="in each span of updates")


def _maps(credit: Credit, image: tuple[int, ...] | None, weights: Mapping[str, NumpyArray]) -> list[Markup]:
    found = []
    for name, trained in zip(credit.names, credit.trained):
        if not trained or not credit.weights[name].size:
            continue
        maps, labels = as_maps(name, credit.weights[name], image)
        arrays = {"credit": maps}
        if name in weights:
            arrays["weight"] = as_maps(name, weights[name], image)[0]
        shape = " × ".join(map(str, credit.weights[name].shape))
        total = show(float(credit.weights[name].sum()))
        found.append(maps_figure(f"{name}  ({shape})", arrays, labels, f"together {total}.", (HELPED, HURT)))
    return found
