"""`cr.explain.sample`: one prediction, and the way of its error back to every weight."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import nn
from ..errors import ConfigurationError, DataError
from ..ir.types import NumpyArray, float64
from ..tensor import Tensor
from ..train import as_loss
from .observed import Layer, Observed, observe
from .sample_places import places_of
from .sample_record import Floats, LayerPath, SampleExplanation, WeightChange


def sample(
    model: nn.Module,
    loss: str | Callable[..., Any],
    x: Any,
    y: Any,
    *,
    lr: float = 0.1,
    top: int = 10,
    row: int | None = None,
    classes: Sequence[str] = (),
) -> SampleExplanation:
    """How the error of one example travels back, layer by layer, by the generalised delta rule; print the result.

    x, y: one example and its target, without the axis of examples. lr: learning rate of the single update whose effect
    is shown. top: how many of the weights that change most are listed. row: which row of the data it is; classes: the
    names of the classes. All in float64, in evaluation mode, on a copy: the network stays as it is.

    >>> import chainrule as cr
    >>> unit = cr.nn.Linear(1, 1, bias=False)
    >>> _ = unit.weight.assign([[2.0]])
    >>> found = sample(unit, "mse", [3.0], [5.0], lr=0.01)  # the error is (6 - 5)^2, its derivative 2 · 1 · 3
    >>> found.gradients["weight"].tolist(), round(found.loss_after, 9)
    ([[6.0]], 0.6724)
    """
    if lr < 0 or top < 0:
        raise ConfigurationError(f"lr and top are not negative, but are {lr} and {top}")
    inputs, targets = (_as_batch(each) for each in (x, y))
    network = copy.deepcopy(model).eval().double()
    chosen = as_loss(loss)
    chosen = copy.deepcopy(chosen).to(float64) if isinstance(chosen, nn.Module) else chosen
    found = observe(network, chosen, inputs, targets)
    if not np.isfinite(found.loss):
        raise DataError(f"the loss of this example is {found.loss}: there is no gradient to explain")
    weights = {path: np.array(each.numpy()) for path, each in network.named_parameters()}
    gradients = {path: np.asarray(each) for path, each in found.gradients.items()}
    return SampleExplanation(
        inputs=inputs[0],
        target=targets[0],
        outputs=found.outputs[0],
        loss=found.loss,
        loss_after=_after_update(network, chosen, inputs, targets, gradients, lr),
        learning_rate=lr,
        expected_change=-lr * sum(float((each**2).sum()) for each in gradients.values()),
        layers=tuple(_path(layer, gradients) for layer in found.layers),
        weights=weights,
        gradients=gradients,
        changes=tuple(_largest(weights, gradients, found, lr, top)),
        row=row,
        target_name=_name(classes, targets[0]),
        answer_name=_name(classes, found.outputs[0].argmax()) if classes else "",
    )


def _as_batch(given: Any) -> NumpyArray:
    array = np.asarray(given)
    if array.dtype.kind not in "fiub":
        raise DataError(f"an example is numbers, not {array.dtype}")
    return (array.astype(np.float64) if array.dtype.kind == "f" else array)[None]


def _name(classes: Sequence[str], place: Any) -> str:
    known = np.ndim(place) == 0 and np.asarray(place).dtype.kind in "iu" and 0 <= place < len(classes)
    return str(classes[int(place)]) if known else ""


def _after_update(
    network: nn.Module,
    loss: Callable[..., Any],
    inputs: NumpyArray,
    targets: NumpyArray,
    gradients: Mapping[str, Floats],
    lr: float,
) -> float:
    """The example's loss once every weight has moved against its gradient; `network` is moved."""
    for path, parameter in network.named_parameters():
        parameter.assign(parameter.numpy() - lr * gradients[path])
    return float(loss(network(Tensor(inputs)), Tensor(targets)).item())


def _path(layer: Layer, gradients: Mapping[str, Floats]) -> LayerPath:
    own = {f"{layer.path}.{name}".lstrip("."): None for name, _ in layer.module.named_parameters(recurse=False)}
    return LayerPath(
        layer.path,
        layer.kind,
        inputs=layer.inputs[0],
        outputs=np.asarray(layer.outputs[0], np.float64),
        cotangent=_first(layer.cotangent),
        input_cotangent=_first(layer.input_cotangent),
        local=_first(layer.local),
        gradients={name: gradients[name] for name in own if name in gradients},
    )


def _first(array: NumpyArray | None) -> Floats | None:
    return None if array is None else np.asarray(array[0], np.float64)


def _largest(
    weights: Mapping[str, Floats], gradients: Mapping[str, Floats], found: Observed, lr: float, top: int
) -> list[WeightChange]:
    """The weights with the largest gradients of all."""
    sizes = np.concatenate([np.empty(0), *(np.abs(each).ravel() for each in gradients.values())])
    starts = np.cumsum([0, *(each.size for each in gradients.values())])
    names = list(gradients)
    changes = []
    for place in np.argsort(-sizes, kind="stable")[:top]:
        if not sizes[place]:
            break
        which = int(np.searchsorted(starts, place, side="right")) - 1
        name = names[which]
        index = tuple(int(each) for each in np.unravel_index(place - starts[which], gradients[name].shape))
        changes.append(_change(name, index, weights, gradients, found, lr))
    return changes


def _change(
    name: str,
    index: tuple[int, ...],
    weights: Mapping[str, Floats],
    gradients: Mapping[str, Floats],
    found: Observed,
    lr: float,
) -> WeightChange:
    gradient, value = float(gradients[name][index]), float(weights[name][index])
    path, _, own = name.rpartition(".")
    calls = [each for each in found.layers if each.path == path]
    layer = calls[0] if calls else None
    cotangent = activation = None
    if layer is not None and layer.kind == "Linear" and layer.cotangent is not None and layer.outputs.ndim == 2:
        cotangent = float(layer.cotangent[0, index[0]])
        activation = 1.0 if own == "bias" else float(layer.inputs[0, index[1]])
    places, count = ((), 0) if layer is None else places_of(layer, own, index, gradient)
    return WeightChange(name, index, value, gradient, -lr * gradient, cotangent, activation, places, count)
