"""One prediction as text: the generalised delta rule of 1986 in the user's own numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from .sample_record import LayerPath, SampleExplanation, WeightChange, WeightPlace

SHOWN = 6
"""Numbers of an array that are shown."""

RULE = """The generalised delta rule (Rumelhart, Hinton, Williams, 1986), with E the loss:
  net input of unit j     net_j   = sum_i w_ji o_i + bias_j
  activation              o_j     = f(net_j)
  delta of an output      delta_j = -dE/do_j f'(net_j)
  delta of a hidden unit  delta_j = f'(net_j) sum_k delta_k w_kj
  change of a weight      change of w_ji = lr delta_j o_i"""


def sample_text(found: SampleExplanation) -> str:
    """All of it, for a terminal."""
    return "\n".join([*_head(found), "", RULE, "", *_forward(found), "", *_backward(found), "", *_changes(found)])


SampleExplanation.__str__ = sample_text


def _head(found: SampleExplanation) -> Iterator[str]:
    which = "One example" if found.row is None else f"Example {found.row}"
    names = f": wanted {found.target_name}, answered {found.answer_name}" if found.target_name else ""
    yield which + names
    true = found.loss_after - found.loss
    yield f"  loss {_number(found.loss)}"
    yield f"  after one update from it alone, at lr {found.learning_rate:g}: loss {_number(found.loss_after)}"
    yield f"  change {_number(true)}; the first derivative promised {_number(found.expected_change)}"


def _forward(found: SampleExplanation) -> Iterator[str]:
    yield "Forward: activations"
    yield f"  {'input':<22}{_array(found.inputs)}"
    for layer in found.layers:
        yield f"  {_title(layer):<22}{_array(layer.outputs)}"
    yield f"  {'target':<22}{_array(found.target)}"


def _backward(found: SampleExplanation) -> Iterator[str]:
    yield "Backward: from the output to the input"
    for layer in reversed(found.layers):
        if layer.cotangent is None:
            continue
        symbol = "delta" if layer.local is None else "-dE/do"
        yield f"  {_title(layer):<22}{symbol:<9}{_array(-layer.cotangent)}"
        if layer.local is not None:
            yield f"  {'':<22}f'(net)  {_array(layer.local)}"
        for name, gradient in layer.gradients.items():
            length = float(np.linalg.norm(gradient))
            yield f"  {'':<22}dE/d{name}: {gradient.size:,} derivatives, length {_number(length)}"


def _changes(found: SampleExplanation) -> Iterator[str]:
    yield "The weights it would change most"
    for change in found.changes:
        place = f"{change.parameter}[{', '.join(map(str, change.index))}]"
        yield f"  {place:<22}{_number(change.value)} {_worked(change, found.learning_rate)}"
        if change.places:
            yield f"  {'':<22}-dE/dw is a sum over {change.place_count} places; its largest terms, delta · o:"
            yield from (f"  {'':<24}{_term(each)}" for each in change.places)


def _worked(change: WeightChange, lr: float) -> str:
    after = f"= {_number(change.value + change.change)}"
    if change.cotangent is None or change.activation is None:
        return f"- {lr:g} · {_number(change.gradient)} {after}"
    return f"+ {lr:g} · delta {_number(-change.cotangent)} · o {_number(change.activation)} {after}"


def _term(place: WeightPlace) -> str:
    where = f"at {list(place.output)}" + (f", of the input at {list(place.input)}" if place.input else "")
    product = -place.cotangent * place.activation
    return f"{_number(-place.cotangent)} · {_number(place.activation)} = {_number(product)} {where}"


def _title(layer: LayerPath) -> str:
    return f"{layer.path or 'network'} {layer.kind}"


def _array(array: NDArray[np.generic]) -> str:
    flat: Sequence[float] = np.asarray(array, np.float64).ravel().tolist()
    shown = "  ".join(_number(each) for each in flat[:SHOWN])
    shape = " x ".join(map(str, array.shape))
    return f"{shown}  ... ({shape})" if len(flat) > SHOWN else shown


def _number(value: float) -> str:
    return f"{value:.4g}"
