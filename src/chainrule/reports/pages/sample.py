"""One prediction on a page: the way of its error back to every weight, and each weight's chain rule worked out."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from ...ir.types import NumpyArray
from ..html.document import Section
from ..html.maps import as_maps, maps_figure
from ..html.markup import Markup, element, json_script, table
from ..html.numbers import count, packed, plain, show
from ..html.png import address, picture
from ..sample_record import LayerPath, SampleExplanation, WeightChange
from .curves import facts

SCRIPTS = ("maps.js", "sample.js")
LEAD = (
    "Backpropagation on one example: what each layer gave, how the error changes with it, and what that says of each "
    "weight. Choose a weight, in the list or in a map, to see its chain rule in numbers."
)
MOST_VALUES = 20_000


def sample_section(sample: SampleExplanation, image: tuple[int, ...] | None = None, title: str = "") -> Section:
    """image: the shape (channels, height, width) of the network's inputs, where they are pictures."""
    asked = "" if sample.row is None else f" {sample.row}"
    heading = title or f"One example, back to every weight: example{asked}"
    top = element("div", _picture(sample, image), facts(_facts(sample)), class_="controls")
    changes = element("div", _changes(sample), class_="scrolls", tabindex=0, role="region", aria_label="weights")
    panel = element("div", class_="panel worked", aria_live="polite")
    body = element(
        "div",
        top,
        _path(sample),
        element("h3", "The weights it would change most"),
        element("div", changes, panel, class_="graph"),
        element("h3", "Layer by layer"),
        [_layer(each, sample, image) for each in sample.layers],
        json_script(_data(sample, image), class_="data"),
        data_sample=True,
    )
    return Section("sample", heading, body, SCRIPTS, LEAD)


SampleExplanation.section = sample_section


def _picture(sample: SampleExplanation, image: tuple[int, ...] | None) -> Markup | None:
    if image is None or sample.inputs.size != np.prod(image) or image[0] not in (1, 3):
        return None
    style = "width:7rem;image-rendering:pixelated;border-radius:6px"
    return element("img", src=address(picture(sample.inputs.reshape(image))), alt="the example", style=style)


def _facts(sample: SampleExplanation) -> list[tuple[str, str | Markup]]:
    named: list[tuple[str, str | Markup]] = []
    if sample.target_name:
        named = [("wanted", sample.target_name), ("answered", sample.answer_name)]
    return [
        *named,
        ("loss", show(sample.loss)),
        (f"after one update (rate {show(sample.learning_rate)})", show(sample.loss_after)),
        ("true change", show(sample.loss_after - sample.loss)),
        ("−rate · |gradient|²", show(sample.expected_change)),
    ]


def _path(sample: SampleExplanation) -> Markup:
    rows = [_path_row(each) for each in sample.layers]
    heads = ("layer", "outputs", "length of output", "length of ∂E/∂output", "length of ∂E/∂weights")
    return table(heads, rows, "Forward from top to bottom; the error comes back from bottom to top")


def _path_row(layer: LayerPath) -> list[str]:
    gradient = [float(np.linalg.norm(each)) for each in layer.gradients.values()]
    return [
        _name(layer),
        " × ".join(map(str, layer.outputs.shape)) or "1",
        show(float(np.linalg.norm(layer.outputs)), 5),
        "–" if layer.cotangent is None else show(float(np.linalg.norm(layer.cotangent)), 5),
        show(float(np.linalg.norm(gradient)), 5) if gradient else "–",
    ]


def _name(layer: LayerPath) -> str:
    return f"{layer.path} {layer.kind}" if layer.path else layer.kind


def _changes(sample: SampleExplanation) -> Markup:
    heads = element("tr", (element("th", each, scope="col") for each in ("weight", "value", "∂E/∂w", "change")))
    rows = [_change(number, each) for number, each in enumerate(sample.changes)]
    return element("table", element("thead", heads), element("tbody", rows))


def _change(number: int, change: WeightChange) -> Markup:
    name = f"{change.parameter}[{', '.join(map(str, change.index))}]"
    button = element("button", name, type="button", data_change=number)
    cells = (element("td", show(each)) for each in (change.value, change.gradient, change.change))
    return element("tr", element("th", button, scope="row"), cells)


def _layer(layer: LayerPath, sample: SampleExplanation, image: tuple[int, ...] | None) -> Markup:
    """Folded: outputs with their derivatives, then each parameter's gradient."""
    figures = [_outputs(layer)] if layer.outputs.size <= MOST_VALUES else []
    for name, gradient in layer.gradients.items():
        maps, labels = as_maps(name, gradient, image)
        weights = as_maps(name, np.asarray(sample.weights[name], np.float64), image)[0]
        figure = maps_figure(f"∂E/∂({name})", {"∂E/∂w": maps, "w": weights}, labels)
        figures.append(element("div", figure, data_parameter=name))
    numbers = count(int(layer.outputs.size))
    summary = element("summary", f"{_name(layer)}: {numbers} outputs")
    return element("details", summary, element("div", figures, class_="grid-of"))


def _outputs(layer: LayerPath) -> Markup:
    arrays: dict[str, NumpyArray] = {"output": _as_images(layer.outputs)}
    if layer.cotangent is not None:
        arrays["∂E/∂output"] = _as_images(layer.cotangent)
    if layer.local is not None:
        arrays["local derivative"] = _as_images(layer.local)
    names = [f"channel {n}" if len(arrays["output"]) > 1 else "outputs" for n in range(len(arrays["output"]))]
    return maps_figure(f"Outputs of {_name(layer)}", arrays, names)


def _as_images(values: NumpyArray) -> NumpyArray:
    if values.ndim == 3:
        return values
    return values.reshape(1, -1, values.shape[-1]) if values.ndim == 2 else values.reshape(1, 1, -1)


def _data(sample: SampleExplanation, image: tuple[int, ...] | None) -> Any:
    """What the chain rule of any weight is worked out from, in the engine's bits."""
    data = {
        "rate": sample.learning_rate,
        "loss": sample.loss,
        "loss_after": sample.loss_after,
        "image": None if image is None else list(image),
        "changes": [asdict(each) for each in sample.changes],
        "layers": [_layer_data(layer, after) for layer, after in zip(sample.layers, [*sample.layers[1:], None])],
        "shapes": {name: list(each.shape) for name, each in sample.weights.items()},
    }
    return plain(data)


def _layer_data(layer: LayerPath, after: LayerPath | None) -> dict[str, Any]:
    """A dense layer's inputs and derivatives, and those of the function that follows it, if one does."""
    made: dict[str, Any] = {"path": layer.path, "kind": layer.kind, "parameters": list(layer.gradients)}
    if layer.kind != "Linear" or layer.cotangent is None or layer.outputs.ndim != 1:
        return made
    made |= {"inputs": packed(np.asarray(layer.inputs, np.float64)), "cotangent": packed(layer.cotangent)}
    if after is not None and after.local is not None and after.cotangent is not None:
        made |= {"function": after.kind, "slope": packed(after.local), "back": packed(after.cotangent)}
    return made
