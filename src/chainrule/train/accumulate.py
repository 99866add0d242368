"""One update from a batch that is too large to go through the network at once: part after part, gradients added up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from .. import functions as f
from .. import tree
from ..capturing import Capture
from ..control import scan
from ..ir.build import current_trace
from ..repeated import UnrepeatableError, repeated
from ..tensor import Tensor, asarray


def accumulated(one: Callable[..., tuple[Tensor, Any]], batch: Sequence[Any], rows: int) -> tuple[Tensor, Any]:
    """The loss of the whole batch and its outputs; its gradient is in `.grad` afterwards.

    one: a function of `rows` examples of the batch, or fewer, that adds to the gradients, and gives their share of the
    loss and their outputs. Only the parts' sizes decide the order of the sums, so the bits are the same on every
    machine and when resumed. In a captured function the parts of equal size are one loop: its code and its memory are
    those of one part.
    """
    length = len(batch[0])
    losses, outputs, done = [], [], 0
    trace = current_trace()
    if isinstance(trace, Capture) and length >= 2 * rows:
        guard = trace.around.changing_nothing(UnrepeatableError("each part changes what the next one reads"))
        with suppress(UnrepeatableError):
            found, predicted = repeated(one, _in_parts(batch, rows), guard)
            losses, outputs, done = [_added(found)], [tree.map(_joined, predicted)], length // rows * rows
    for start in range(done, length, rows):
        loss, each = one(*(array[start : start + rows] for array in batch))
        losses.append(loss)
        outputs.append(each)
    whole = losses[0]
    for each in losses[1:]:
        whole = whole + each
    return whole, tree.map(lambda *parts: f.concat(parts), *outputs)


def _in_parts(batch: Sequence[Any], rows: int) -> tuple[Tensor, ...]:
    """The arrays of a batch as (parts, rows, ...), without the rest that is smaller."""
    arrays = [asarray(array) for array in batch]
    count = len(arrays[0]) // rows
    return tuple(f.reshape(array[: count * rows], (count, rows, *array.shape[1:])) for array in arrays)


def _added(losses: Tensor) -> Tensor:
    """(parts,) from the first to the last, as one after the other."""
    total: Tensor = scan(lambda total, loss: (total + loss, None), losses[0], losses[1:])[0]
    return total


def _joined(outputs: Tensor) -> Tensor:
    """(parts, rows, ...) as (examples, ...)."""
    joined: Tensor = f.reshape(outputs, (-1, *outputs.shape[2:]))
    return joined
