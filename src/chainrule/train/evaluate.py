"""Using a trained network: its figures on a data set, its outputs for inputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn, tree
from ..dispatch import compiled_function
from ..errors import DataError, TraceError, telling
from ..finite import check_finite
from ..ir.types import NumpyArray
from ..nn.evaluation import evaluating
from ..ops.operators import refuse_masked
from ..tensor import Tensor
from .metrics import Metric, Totals, arrays_of, as_metrics
from .step import Loss, as_loss
from .validate import as_pair, check_labels, output_shape


def evaluate(
    model: nn.Module, data: Any, loss: str | Loss = "cross_entropy", metrics: Any = (), batch_size: int = 256
) -> dict[str, float]:
    """The mean loss and the metrics on data (inputs, targets), as {"loss": ..., "accuracy": ...}.

    Raises DataError for NaN, labels out of range, lengths that differ.
    """
    inputs, targets = as_pair(data, "data")
    chosen = as_loss(loss)
    check_labels(output_shape(model, inputs, "data"), targets, chosen, "data")
    return figures(model, inputs, targets, chosen, as_metrics(metrics), batch_size)


def figures(
    model: nn.Module,
    inputs: NumpyArray,
    targets: NumpyArray,
    loss: Loss,
    metrics: Sequence[Metric],
    batch_size: int,
    prefix: str = "",
) -> dict[str, float]:
    """The figures of data that has been checked."""
    totals = Totals(metrics)
    with evaluating(model):
        for start in range(0, len(inputs), batch_size):
            wanted = targets[start : start + batch_size]
            outputs = model(Tensor(inputs[start : start + batch_size]))
            totals.add(loss(outputs, Tensor(wanted)).item(), arrays_of(outputs), wanted)
    return totals.figures(prefix)


def explain(
    model: nn.Module, data: tuple[NumpyArray, NumpyArray], loss: Loss, batch_size: int, folder: Path | None
) -> None:
    """Go through validation that was not finite once more. Raises NonFiniteError: the operation, and the example.

    folder: where it is saved.
    """

    def validation(inputs: Tensor, targets: Tensor) -> Tensor:
        return loss(model(inputs), targets)

    checked = compiled_function(validation, check_finite=True)
    checked.folder, checked.result_names = folder, ("the loss",)
    with evaluating(model), telling("in validation"):
        try:
            checked.epoch(*data, batch_size=batch_size)
        except TraceError:
            with check_finite():
                figures(model, *data, loss, (), batch_size)


def predict(model: nn.Module, inputs: Any, batch_size: int = 256) -> Any:
    """The network's outputs for inputs (n, ...): an array (n, ...), or several nested as the network gives them."""
    refuse_masked(inputs)
    rows = np.asarray(inputs)
    if rows.ndim == 0 or len(rows) == 0:
        raise DataError(f"predict needs an array with one row an example, but was given shape {rows.shape}")
    with evaluating(model):
        starts = range(0, len(rows), batch_size)
        parts = [arrays_of(model(Tensor(rows[start : start + batch_size]))) for start in starts]
    return tree.map(lambda *arrays: np.concatenate(arrays), *parts)
