"""Padding as a function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import functions as f
from ...errors import ShapeError, unknown_name
from ...tensor import Tensor, asarray

NUMPY_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def pad(input: Any, pad: Sequence[int], mode: str = "constant", value: float = 0.0) -> Tensor:
    """PyTorch's padding: pairs (before, after), from the last axis backwards; negative ones cut.

    mode: "constant" (with `value`), "reflect" (without the edge), "replicate" (the edge), "circular" (round the end).
    """
    x = asarray(input)
    if len(pad) % 2 or len(pad) // 2 > x.ndim:
        raise ShapeError(f"pad takes pairs (before, after) for at most {x.ndim} axes, but was given {tuple(pad)}")
    pairs = [(0, 0)] * (x.ndim - len(pad) // 2) + list(zip(pad[::2], pad[1::2]))[::-1]
    if mode == "constant":
        result: Tensor = f.pad(x, pairs, value)
        return result
    if mode not in NUMPY_MODES:
        raise unknown_name("mode of padding", mode, ["constant", *NUMPY_MODES])
    for axis, widths in enumerate(pairs):
        if any(widths):
            x = f.take(x, _source_indices(x.shape[axis], widths, mode), axis)
    return x


def _source_indices(size: int, widths: tuple[int, int], mode: str) -> Any:
    """For each place of the padded axis, the place that it copies."""
    most = {"reflect": size - 1, "circular": size}.get(mode, max(widths) if size else 0)
    if min(widths) < 0 or max(widths) > most:
        raise ShapeError(f"pad with mode={mode!r} adds 0 to {most} at each end of an axis of {size}, not {widths}")
    return np.pad(np.arange(size), widths, mode=NUMPY_MODES[mode])  # type: ignore[call-overload]
