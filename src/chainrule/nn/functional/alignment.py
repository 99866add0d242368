"""Connectionist temporal classification: the loss of a sequence of labels without knowing where each lies."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import functions as f
from ...control import scan
from ...errors import ConfigurationError, ShapeError, TraceError, unknown_name
from ...tensor import Tensor, asarray
from .indices import check_range, none_wraps
from .regression import REDUCTIONS, reduce

NEVER = -1e30
"""Stands for the logarithm of 0 within the sums: -inf there would make gradients NaN."""


def ctc_loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """-log of the probability of all alignments of the targets (Graves et al. 2006), PyTorch's arguments.

    log_probs (time, batch, classes), logarithms of probabilities; targets (batch, longest), or all labels one after the
    other; input_lengths, target_lengths (batch,). Without a batch: (time, classes), (labels,) and two numbers.
    reduction "mean" divides each loss by its number of labels first. zero_infinity: targets that don't fit into the
    time there is count 0 instead of infinity; their gradient is 0 in any case.
    Raises ShapeError, OutOfRangeError for a label outside the classes.
    """
    if reduction not in REDUCTIONS:
        raise unknown_name("reduction", reduction, REDUCTIONS)
    x = asarray(log_probs)
    single = x.ndim == 2
    x = f.expand_dims(x, 1) if single else x
    if x.ndim != 3 or not 0 <= blank < x.shape[2]:
        raise ShapeError(f"ctc_loss needs (time, batch, classes) with class {blank} the blank, but was given {x.shape}")
    batch = x.shape[1]
    times, counts = (_lengths(name, each, batch) for name, each in
                     (("input_lengths", input_lengths), ("target_lengths", target_lengths)))  # fmt: skip
    labels = _labels(targets, counts, batch, single)
    check_range("ctc_loss", "label", labels, x.shape[2], f"there are {x.shape[2]} classes")
    losses = _losses(x, labels, times, counts, blank)
    impossible = losses > -NEVER / 2
    losses = f.where(impossible, 0.0 if zero_infinity else float("inf"), losses)
    if reduction == "mean":
        losses = losses / f.astype(f.maximum(counts, 1), x.dtype)
    return reduce(f.reshape(losses, ()) if single else losses, reduction)


def _lengths(name: str, given: Any, batch: int) -> Tensor:
    lengths = asarray(given)
    if lengths.size != batch or lengths.dtype.kind not in "iu":
        raise ShapeError(f"ctc_loss: {name} needs one whole number for each of {batch}, but was given {lengths.shape}")
    flat: Tensor = f.reshape(f.astype(lengths, "int64"), (batch,))
    return flat


def _labels(targets: Any, counts: Tensor, batch: int, single: bool) -> Tensor:
    """(batch, longest) int64."""
    labels = asarray(targets)
    if single and labels.ndim == 1:
        return asarray(f.expand_dims(labels, 0))
    if labels.ndim == 2 and labels.shape[0] == batch:
        return labels
    if labels.ndim != 1:
        raise ShapeError(
            f"ctc_loss needs targets (batch, longest) or one after the other, but was given {labels.shape}"
        )
    if counts.is_traced:
        raise TraceError("ctc_loss: targets one after the other need known lengths; in a program give (batch, longest)")
    ends = np.cumsum(counts.numpy())
    if ends[-1] != labels.shape[0]:
        raise ConfigurationError(
            f"ctc_loss: target_lengths add up to {ends[-1]}, but there are {labels.shape[0]} labels"
        )
    starts, longest = ends - counts.numpy(), max(int(counts.numpy().max()), 1)
    places = np.minimum(starts[:, None] + np.arange(longest), labels.shape[0] - 1)
    padded: Tensor = f.take(labels, places, 0)
    return padded


def _losses(x: Tensor, labels: Tensor, times: Tensor, counts: Tensor, blank: int) -> Tensor:
    """(batch,): the forward recursion of the paper (6 to 8) in logarithms, over states blank, label, blank, ..."""
    time, batch, _ = x.shape
    wide = f.astype(none_wraps(labels, x.shape[2]), "int64")
    states = 2 * wide.shape[1] + 1
    blanks = f.full_like(wide, blank)
    path = f.concat([f.reshape(f.stack([blanks, wide], 2), (batch, states - 1)), f.full((batch, 1), blank)], 1)
    places = f.broadcast_to(path, (time, batch, states))
    emitted = f.take_along_axis(x, places, 2)  # (time, batch, states)
    skips = path[:, 2:] != path[:, :-2] if states > 2 else f.zeros((batch, 0), "bool")
    jump = f.concat([f.zeros((batch, 2), "bool"), skips & (path[:, 2:] != blank)], 1)[:, :states]
    start = f.where(f.arange(states) < 2, emitted[0], NEVER)

    def step(alpha: Any, slice: Any) -> Any:
        now, alive = slice
        one = f.pad(alpha[:, :-1], [(0, 0), (1, 0)], NEVER)
        two = f.where(jump, f.pad(alpha, [(0, 0), (2, 0)], NEVER)[:, :states], NEVER)
        new = f.logaddexp(f.logaddexp(alpha, one), two) + now
        return f.where(alive, f.maximum(new, NEVER), alpha), None

    alive = f.expand_dims(f.expand_dims(f.arange(1, time), 1) < times, -1)  # (time - 1, batch, 1)
    alpha, _ = scan(step, start, (emitted[1:], alive)) if time > 1 else (start, None)
    last = f.take_along_axis(alpha, f.expand_dims(2 * counts, 1), 1)
    before = f.take_along_axis(alpha, f.expand_dims(f.maximum(2 * counts - 1, 0), 1), 1)
    before = f.where(f.expand_dims(counts, 1) > 0, before, NEVER)
    result: Tensor = -f.squeeze(f.logaddexp(last, before), 1)
    return result
