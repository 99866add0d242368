"""Metrics: each adds up a few float64 numbers over the examples and turns them into one figure at the end.

So a metric over an epoch is exact whatever the batches, and can be saved and resumed in the middle.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import tree
from ..errors import ConfigurationError, ShapeError, telling, unknown_name
from ..ir.types import NumpyArray
from ..names import name_of
from ..tensor import Tensor

Sums = NumpyArray
Columns = Callable[[NumpyArray, NumpyArray], Sequence[NumpyArray]]


@dataclass(frozen=True)
class Metric:
    """parts(outputs, targets) -> float64 sums over the batch; finish(sums, number of examples) -> the figure.

    outputs: an array, or several nested as the network gives them; read-only, as the targets are.
    examples: where the sums are over numbers of each example, these numbers: columns (n,), so that many batches are
    looked at in one go.
    """

    name: str
    parts: Callable[[Any, NumpyArray], Sequence[float]]
    finish: Callable[[Sums, int], float]
    larger_is_better: bool
    examples: Columns | None = None

    def parts_of_batches(self, outputs: Any, targets: NumpyArray) -> NumpyArray:
        """The parts of each of many batches, (batches, parts). outputs, targets: (batches, rows, ...)."""
        if self.examples is None or not isinstance(outputs, np.ndarray) or outputs.shape[:2] != targets.shape[:2]:
            return np.array([self.parts(_part(outputs, n), each) for n, each in enumerate(targets)], np.float64)
        count, rows = outputs.shape[:2]
        flat = self.examples(_joined(outputs), _joined(targets))
        return np.stack([column.reshape(count, rows).sum(axis=1) for column in flat], axis=1)


def _part(arrays: Any, batch: int) -> Any:
    return tree.map(lambda array: array[batch], arrays)


def _joined(batches: NumpyArray) -> NumpyArray:
    return batches.reshape(-1, *batches.shape[2:])


def _metric(name: str, examples: Columns, finish: Callable[[Sums, int], float], larger_is_better: bool) -> Metric:
    """A metric whose parts are sums of numbers of each example."""

    def parts(outputs: Any, targets: NumpyArray) -> Sequence[float]:
        _check_rows(name, outputs, targets)
        return [float(column.sum()) for column in examples(outputs, targets)]

    return Metric(name, parts, finish, larger_is_better, examples)


def _check_rows(name: str, outputs: Any, targets: NumpyArray) -> None:
    if not isinstance(outputs, np.ndarray) or outputs.shape[:1] != targets.shape[:1]:
        given = f"outputs {outputs.shape}" if isinstance(outputs, np.ndarray) else f"a {type(outputs).__name__} of them"
        raise ShapeError(
            f"the metric {name!r} compares one row of outputs with each of {len(targets)} targets, but the network "
            f"gives {given}: take a function (outputs, targets) -> mean over the batch"
        )


def _mean(sums: Sums, count: int) -> float:
    return float(sums[0] / count) if count else math.nan


def predicted_classes(outputs: NumpyArray) -> NumpyArray:
    """The class of each example: the largest of many outputs, or the sign of a single logit."""
    if outputs.ndim < 2 or outputs.shape[1] == 1:
        return np.asarray(outputs.reshape(len(outputs), -1)[:, 0] > 0, np.int64)
    return np.asarray(np.argmax(outputs, axis=1))


def true_classes(targets: NumpyArray, outputs: NumpyArray) -> NumpyArray:
    """Class indices from indices, probabilities, or a column of zeros and ones."""
    if targets.shape == outputs.shape and outputs.ndim > 1 and outputs.shape[1] > 1:
        return np.asarray(np.argmax(targets, axis=1))
    return targets.reshape(targets.shape[0], *targets.shape[2:] if targets.ndim > 1 and targets.shape[1] == 1 else ())


def _accuracy(outputs: NumpyArray, targets: NumpyArray) -> Sequence[NumpyArray]:
    right = predicted_classes(outputs) == true_classes(targets, outputs).astype(np.int64)
    return [right.reshape(len(outputs), -1).mean(axis=1, dtype=np.float64)]


def _top_5(outputs: NumpyArray, targets: NumpyArray) -> Sequence[NumpyArray]:
    best = np.argsort(-outputs, axis=1, kind="stable")[:, :5]
    return [(best == true_classes(targets, outputs)[:, None]).any(axis=1).astype(np.float64)]


def _errors(outputs: NumpyArray, targets: NumpyArray) -> NumpyArray:
    if outputs.size != targets.size:
        raise ShapeError(
            f"this metric compares numbers: outputs {outputs.shape} need targets of the same shape, not "
            f"{targets.shape}; for classes take 'accuracy'"
        )
    difference = outputs.astype(np.float64) - targets.reshape(outputs.shape)
    return difference.reshape(len(outputs), -1)


def _absolute(outputs: NumpyArray, targets: NumpyArray) -> Sequence[NumpyArray]:
    return [np.abs(_errors(outputs, targets)).mean(axis=1)]


def _squared(outputs: NumpyArray, targets: NumpyArray) -> Sequence[NumpyArray]:
    return [np.square(_errors(outputs, targets)).mean(axis=1)]


def _r2_parts(outputs: NumpyArray, targets: NumpyArray) -> Sequence[NumpyArray]:
    wanted = targets.astype(np.float64).reshape(len(outputs), -1)
    squares = np.square(_errors(outputs, targets)).sum(axis=1)
    size = np.full(len(outputs), float(wanted.shape[1]))
    return [squares, wanted.sum(axis=1), np.square(wanted).sum(axis=1), size]


def _r2(sums: Sums, count: int) -> float:
    spread = sums[2] - sums[1] ** 2 / sums[3] if sums[3] else 0.0
    return float(1 - sums[0] / spread) if spread > 0 else math.nan


METRICS = {
    metric.name: metric
    for metric in (
        _metric("accuracy", _accuracy, _mean, True),
        _metric("top_5_accuracy", _top_5, _mean, True),
        _metric("mae", _absolute, _mean, False),
        _metric("mse", _squared, _mean, False),
        _metric("rmse", _squared, lambda sums, count: math.sqrt(_mean(sums, count)), False),
        _metric("r2", _r2_parts, _r2, True),
    )
}


COLUMNS = ("epoch", "step", "loss", "val_loss", "lr", "seconds")


def as_metrics(given: Any) -> tuple[Metric, ...]:
    """Metrics from names, Metric records, or functions (outputs, targets) -> mean over the batch."""
    listed = [given] if isinstance(given, str | Metric) or callable(given) else list(given or ())
    found = tuple(_as_metric(each) for each in listed)
    names = [*COLUMNS, *(each.name for each in found)]
    for name in names:
        if names.count(name) > 1:
            what = "a column of the history" if name in COLUMNS else "another metric"
            raise ConfigurationError(f"a metric is called {name!r}, as {what} is: give it a name of its own")
    return found


def _as_metric(given: Any) -> Metric:
    if isinstance(given, Metric):
        return given
    if isinstance(given, str):
        if given not in METRICS:
            raise unknown_name("metric", given, METRICS)
        return METRICS[given]
    if not callable(given):
        raise ConfigurationError(f"a metric is a name, a function (outputs, targets) or a Metric, not {given!r}")
    return _mean_of(name_of(given), given)


def _mean_of(name: str, given: Callable[[Any, NumpyArray], Any]) -> Metric:
    """A function (outputs, targets) -> mean over the batch."""

    def parts(outputs: Any, targets: NumpyArray) -> Sequence[float]:
        with telling(f"in the metric {name}"):
            figure = given(outputs, targets)
        try:
            return [float(figure) * len(targets)]
        except (TypeError, ValueError):
            what = f"{type(figure).__name__} of shape {np.shape(figure)}" if np.ndim(figure) else repr(figure)
            raise ConfigurationError(f"the metric {name} gives {what}: expected one number, the batch's mean") from None

    return Metric(name, parts, _mean, False)


def arrays_of(outputs: Any) -> Any:
    """The tensors that a network gives, as arrays."""
    return tree.map(lambda each: each.numpy() if isinstance(each, Tensor) else np.asarray(each), outputs)


def _read_only(outputs: Any, targets: NumpyArray) -> tuple[Any, NumpyArray]:
    """What one metric changed would be wrong for the next, and for the owner of the data."""

    def view(array: NumpyArray) -> NumpyArray:
        seen = array.view()
        seen.flags.writeable = False
        return seen

    return tree.map(view, outputs), view(targets)


class Totals:
    """Running sums of the loss and of metrics."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self.metrics = metrics
        self.count = 0
        self.weight = 0.0
        self.loss = 0.0
        self.sums: dict[str, Sums] = {}

    def add(self, loss: float, outputs: Any, targets: NumpyArray, weight: float | None = None) -> None:
        """One batch: its mean loss, the outputs for its metrics. weight: of its examples, by default their number."""
        self.count += len(targets)
        self.weight += len(targets) if weight is None else weight
        self.loss += loss * (len(targets) if weight is None else weight)
        for metric in self.metrics:
            parts = np.asarray(metric.parts(*_read_only(outputs, targets)), np.float64)
            self.sums[metric.name] = self.sums.get(metric.name, np.zeros_like(parts)) + parts

    def add_batches(
        self, losses: Sequence[float], rows: int, outputs: Any, targets: Any, weights: Sequence[float] | None = None
    ) -> None:
        """Many batches of `rows` examples, one after the other. outputs, targets: (batches, rows, ...), for metrics."""
        for loss, weight in zip(losses, [rows] * len(losses) if weights is None else weights):
            self.loss += loss * weight
            self.weight += weight
        self.count += rows * len(losses)
        for metric in self.metrics:
            parts = metric.parts_of_batches(*_read_only(outputs, targets))
            before = self.sums.get(metric.name, np.zeros_like(parts[0]))
            self.sums[metric.name] = np.add.accumulate(np.vstack([before, parts]), axis=0)[-1]

    def figures(self, prefix: str = "") -> dict[str, float]:
        """The mean loss and each metric so far."""
        found = {f"{prefix}loss": self.loss / self.weight if self.weight else 0.0 if self.count else math.nan}
        for metric in self.metrics:
            sums = self.sums.get(metric.name)
            found[prefix + metric.name] = math.nan if sums is None else metric.finish(sums, self.count)
        return found

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers, fit for JSON; exact."""
        sums = {name: each.tolist() for name, each in self.sums.items()}
        return {"count": self.count, "weight": self.weight, "loss": self.loss, "sums": sums}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self.count, self.loss = int(state["count"]), float(state["loss"])
        self.weight = float(state.get("weight", self.count))  # runs from before there were weights lack it
        self.sums = {name: np.asarray(sums, np.float64) for name, sums in state["sums"].items()}
