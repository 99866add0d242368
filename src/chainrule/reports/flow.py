"""Gradient flow: for each layer what it gives, what error reaches it, and how far its weights move."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .. import nn
from ..ir.types import NumpyArray
from ..train import as_loss
from .flow_findings import findings
from .flow_record import Flow, FlowRow
from .observed import SQUASHING, Layer, Observed, observe
from .run_files import Folder, read_flow_rows

SATURATED = 0.01
"""A unit whose local derivative is below this share of the largest (1 for tanh, 1/4 for the sigmoid) is saturated."""
STEEPEST = {"Sigmoid": 0.25, "Hardsigmoid": 1 / 6}


def flow(model: nn.Module, loss: str | Callable[..., Any], inputs: Any, targets: Any) -> Flow:
    """The gradient flow of a network as it is, on a batch of examples."""
    return as_flow(flow_rows(observe(model, as_loss(loss), np.asarray(inputs), np.asarray(targets)), model, 0, 1, {}))


def read_flow(folder: Folder) -> Flow | None:
    """The gradient flow that was recorded in a run directory; None where none was."""
    rows = read_flow_rows(folder)
    return None if rows is None else as_flow(rows)


def as_flow(rows: tuple[FlowRow, ...]) -> Flow:
    """Rows with what is wrong in them."""
    return Flow(rows, findings(rows))


def flow_rows(
    found: Observed, model: nn.Module, step: int, epoch: int, updates: Mapping[str, NumpyArray]
) -> tuple[FlowRow, ...]:
    """A row for each layer. updates: how far each parameter moved in the step, where that is known."""
    weights = {path: each.numpy() for path, each in model.named_parameters()}
    rows, seen = [], set()
    for layer in found.layers:
        if layer.path in seen:  # called again: the first call stands for all
            continue
        seen.add(layer.path)
        own = [f"{layer.path}.{name}".lstrip(".") for name, _ in layer.module.named_parameters(recurse=False)]
        figures = {**_activations(layer), **_lengths(own, weights, found.gradients, updates)}
        rows.append(FlowRow(step, epoch, layer.path, layer.kind, **figures))
    return tuple(rows)


def _activations(layer: Layer) -> dict[str, Any]:
    outputs = layer.outputs.astype(np.float64)
    figures: dict[str, Any] = {
        "activation_mean": float(outputs.mean()),
        "activation_deviation": float(outputs.std()),
        "zero_share": float((outputs == 0).mean()),
    }
    if layer.cotangent is not None:
        error = layer.cotangent.astype(np.float64) * len(layer.cotangent)  # of one example: the loss is a mean
        figures["cotangent_size"] = float(np.sqrt((error**2).mean()))
    if layer.is_activation and layer.outputs.ndim > 1:
        figures |= _units(layer)
    return figures


def _units(layer: Layer) -> dict[str, Any]:
    """Units are features, or channels (axis 1) of images; one is dead where it is stuck for every example."""
    outputs = layer.outputs
    axes = tuple(axis for axis in range(outputs.ndim) if axis != _unit_axis(outputs.ndim))
    stuck = outputs == 0
    figures: dict[str, Any] = {"units": outputs.shape[_unit_axis(outputs.ndim)]}
    if layer.kind in SQUASHING and layer.local is not None:
        stuck = np.abs(layer.local) < SATURATED * STEEPEST.get(layer.kind, 1.0)
        figures["saturated_share"] = float(stuck.mean())
    return {**figures, "dead_units": int(stuck.all(axis=axes).sum())}


def _unit_axis(ndim: int) -> int:
    return 1 if ndim >= 4 else ndim - 1


def _lengths(
    names: list[str],
    weights: Mapping[str, NumpyArray],
    gradients: Mapping[str, NumpyArray],
    updates: Mapping[str, NumpyArray],
) -> dict[str, Any]:
    if not names:
        return {}
    figures = {"weight_norm": _length(names, weights), "gradient_norm": _length(names, gradients)}
    if updates:
        figures["update_norm"] = _length(names, updates)
        if figures["weight_norm"]:
            figures["update_ratio"] = figures["update_norm"] / figures["weight_norm"]
    return figures


def _length(names: list[str], arrays: Mapping[str, NumpyArray]) -> float:
    return float(np.sqrt(sum((arrays[name].astype(np.float64) ** 2).sum() for name in names)))
