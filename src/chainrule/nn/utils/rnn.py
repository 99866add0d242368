"""Sequences of different lengths in one batch: padded to the longest, or packed without padding. PyTorch's names.

A packed batch holds its steps time after time: first the first steps of all sequences, from the longest to the
shortest, then the second steps of those that have one, and so on. Lengths are plain numbers, known before a program is
traced; in compiled functions give recurrent layers padded sequences and `lengths` instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ... import functions as f
from ...errors import ConfigurationError, ShapeError, TraceError
from ...ir.types import NumpyArray
from ...tensor import Tensor, asarray


class PackedSequence(NamedTuple):
    """data (steps of all sequences, ...); batch_sizes (longest,): how many sequences have each step.

    sorted_indices: the number of each sequence in the order of packing; unsorted_indices: back. None: in order.
    """

    data: Tensor
    batch_sizes: NumpyArray
    sorted_indices: NumpyArray | None = None
    unsorted_indices: NumpyArray | None = None

    @property
    def lengths(self) -> NumpyArray:
        """Steps of each sequence, in the order they had before packing: (batch,) int64."""
        count = int(self.batch_sizes[0])
        lengths: NumpyArray = (self.batch_sizes[:, None] > np.arange(count)).sum(0)
        return lengths if self.unsorted_indices is None else lengths[self.unsorted_indices]


TRACED_LENGTHS = (
    "packed sequences need their lengths while a program is traced: how many rows there are follows from them. Give "
    "the lengths as a tuple of numbers, whose program is compiled for each of them; or leave the padding where it is "
    "and out of the loss: cr.where(cr.arange(time) < lengths[:, None], each_loss, 0.0)"
)


def pack_padded_sequence(
    input: Any, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Padded sequences (time, batch, ...), or (batch, time, ...) with batch_first, without their padding.

    lengths: (batch,) whole numbers, 1 to time. enforce_sorted: they must fall; else the sequences are sorted here.
    Raises ShapeError or ConfigurationError for lengths that don't fit.
    """
    x = f.swapaxes(asarray(input), 0, 1) if batch_first else asarray(input)
    steps = _checked(lengths, x)
    falling = bool((np.diff(steps) <= 0).all())
    if enforce_sorted and not falling:
        raise ConfigurationError(
            f"lengths must fall where enforce_sorted is True, but are {steps.tolist()}; give enforce_sorted=False"
        )
    order = None if enforce_sorted else np.argsort(-steps, kind="stable")
    return packed(x, steps, order)


def packed(x: Tensor, lengths: NumpyArray, order: NumpyArray | None) -> PackedSequence:
    """Padded (time, batch, ...) as packed, the sequences in `order` from the longest to the shortest."""
    rows = np.arange(len(lengths)) if order is None else order
    sizes = (lengths[:, None] > np.arange(lengths.max())).sum(0)  # (time,)
    places = np.concatenate([step * len(lengths) + rows[:size] for step, size in enumerate(sizes)])
    flat = f.reshape(x, (x.shape[0] * x.shape[1], *x.shape[2:]))  # (time · batch, ...)
    back = None if order is None else np.argsort(order)
    return PackedSequence(f.take(flat, places, 0), sizes, order, back)


def _checked(lengths: Any, x: Tensor) -> NumpyArray:
    if isinstance(lengths, Tensor) and lengths.is_traced:
        raise TraceError(TRACED_LENGTHS)
    steps = np.asarray(lengths.numpy() if isinstance(lengths, Tensor) else lengths)
    if x.ndim < 2 or steps.shape != x.shape[1:2] or steps.dtype.kind not in "iu":
        raise ShapeError(f"lengths holds one whole number a sequence, but is {steps.tolist()} for inputs {x.shape}")
    if not steps.size or steps.min() < 1 or steps.max() > x.shape[0]:
        raise ConfigurationError(f"lengths lie between 1 and {x.shape[0]}, but are {steps.tolist()}")
    return steps.astype(np.int64)


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, NumpyArray]:
    """Padded sequences (time, batch, ...) in their first order, and their lengths (batch,).

    total_length: steps to pad to, at least the longest. Raises ConfigurationError where it is less.
    """
    sizes, lengths = sequence.batch_sizes, sequence.lengths
    time, batch = total_length or len(sizes), len(lengths)
    if time < len(sizes):
        raise ConfigurationError(f"total_length {time} is less than the longest sequence, {len(sizes)}")
    rank = np.arange(batch) if sequence.unsorted_indices is None else sequence.unsorted_indices
    first = np.concatenate([[0], np.cumsum(sizes)[:-1], np.zeros(time - len(sizes), np.int64)])
    valid = np.arange(time)[:, None] < lengths  # (time, batch)
    places = np.where(valid, first[:, None] + rank, 0)
    mask = valid.reshape(time, batch, *[1] * (sequence.data.ndim - 1))
    padded: Tensor = f.where(mask, f.take(sequence.data, places, 0), padding_value)
    return f.swapaxes(padded, 0, 1) if batch_first else padded, lengths


def pad_sequence(
    sequences: Sequence[Any], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Sequences (time_k, ...) as one tensor (longest, batch, ...), or (batch, longest, ...) with batch_first."""
    if padding_side not in ("left", "right"):
        raise ConfigurationError(f"padding_side is 'left' or 'right', not {padding_side!r}")
    arrays = [asarray(each) for each in sequences]
    if not arrays:
        raise ConfigurationError("pad_sequence needs at least one sequence")
    longest = max(each.shape[0] for each in arrays)

    def filled(array: Tensor) -> Any:
        missing = longest - array.shape[0]
        ends = (missing, 0) if padding_side == "left" else (0, missing)
        return f.pad(array, [ends, *[(0, 0)] * (array.ndim - 1)], padding_value)

    stacked: Tensor = f.stack([filled(each) for each in arrays], axis=0 if batch_first else 1)
    return stacked


def unpad_sequence(padded_sequences: Any, lengths: Any, batch_first: bool = False) -> list[Tensor]:
    """The sequences of a padded batch, each (length, ...)."""
    x = asarray(padded_sequences) if batch_first else f.swapaxes(asarray(padded_sequences), 0, 1)
    return [x[row, : int(length)] for row, length in enumerate(np.asarray(lengths))]


def pack_sequence(sequences: Sequence[Any], enforce_sorted: bool = True) -> PackedSequence:
    """Sequences (time_k, ...) packed."""
    lengths = np.asarray([asarray(each).shape[0] for each in sequences])
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences of a packed batch, each (length, ...)."""
    return unpad_sequence(*pad_packed_sequence(packed_sequences))
