"""One update from a batch that is too large to go through the network at once: part after part, gradients added up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .. import functions as f
from ..tensor import Tensor, asarray
from ..transforms import stop_gradient
from .weighted import mass

if TYPE_CHECKING:
    from .step import TrainingStep


def accumulated(step: TrainingStep, inputs: Any, targets: Any, weights: Any = None) -> tuple[Tensor, Tensor]:
    """The loss of the whole batch and its outputs; its gradient is in `.grad` afterwards.

    Only the parts' sizes decide the order of the sums, so the bits are the same on every machine and when resumed. The
    loss of the batch is the mean of that of its parts, each counted by its examples (or their weights).
    """
    assert step.rows is not None
    total = None if weights is None else mass(step.loss, targets, _floats(weights))
    losses, outputs = [], []
    for part in parts(len(inputs), step.rows):
        wanted, amounts = targets[part], None if weights is None else weights[part]
        predicted = step.outputs(inputs[part])
        share = (part.stop - part.start) / len(inputs)
        if total is not None and amounts is not None:
            share = mass(step.loss, wanted, _floats(amounts)) / total
        loss = step.error(predicted, wanted, amounts) * share
        loss.backward()
        losses.append(stop_gradient(loss))
        outputs.append(stop_gradient(predicted))
    whole = losses[0]
    for each in losses[1:]:
        whole = whole + each
    return whole, f.concat(outputs)


def parts(length: int, rows: int) -> Iterator[slice]:
    """A batch cut into parts of `rows` examples; the last may be smaller."""
    return (slice(start, min(start + rows, length)) for start in range(0, length, rows))


def _floats(weights: Any) -> Tensor:
    given = asarray(weights)
    return given if given.dtype.kind == "f" else f.astype(given, "float32")
