"""Convolutions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .... import functions as fn
from ....nn import functional as F
from ....ops.convolution import convolution, convolution_input_gradient
from ....tensor import unwrap, wrap
from ..call import Call, OnnxError, numbers, operator, shape_of

Edges = list[tuple[int, int]]


def paddings(call: Call, sizes: Sequence[int], spans: Sequence[int], strides: Sequence[int]) -> Edges:
    """What is added before and after each axis."""
    mode, rank = call.text("auto_pad", "NOTSET"), len(sizes)
    if mode == "VALID":
        return [(0, 0)] * rank
    if mode == "NOTSET":
        pads = list(call.get("pads") or [0] * 2 * rank)
        return list(zip(pads[:rank], pads[rank:]))
    totals = [max((-(-size // step) - 1) * step + span - size, 0) for size, span, step in zip(sizes, spans, strides)]
    return [_halves(total, mode) for total in totals]


def _halves(total: int, mode: str) -> tuple[int, int]:
    small, large = total // 2, total - total // 2
    return (small, large) if mode == "SAME_UPPER" else (large, small)


def values(*arrays: Any) -> list[Any]:
    """Arrays as the engine's values, for primitives."""
    return [unwrap(fn.asarray(array)) for array in arrays]


def with_bias(y: Any, bias: Any) -> Any:
    """A number more for each channel."""
    if bias is None:
        return y
    return y + fn.reshape(fn.asarray(bias), (-1, *(1,) * (len(shape_of(y)) - 2)))


@operator("Conv")
def _conv(call: Call, x: Any, weight: Any, bias: Any = None) -> Any:
    sizes, kernel = shape_of(x)[2:], shape_of(weight)[2:]
    strides = tuple(call.get("strides") or [1] * len(kernel))
    gaps = tuple(call.get("dilations") or [1] * len(kernel))
    spans = [(size - 1) * gap + 1 for size, gap in zip(kernel, gaps)]
    edges = paddings(call, sizes, spans, strides)
    params = {"stride": strides, "padding": tuple(edges), "dilation": gaps, "groups": call.get("group", 1)}
    return with_bias(wrap(convolution(*values(x, weight), **params)), bias)


@operator("ConvTranspose")
def _conv_transpose(call: Call, x: Any, weight: Any, bias: Any = None) -> Any:
    sizes, kernel = shape_of(x)[2:], shape_of(weight)[2:]
    rank = len(kernel)
    strides = tuple(call.get("strides") or [1] * rank)
    gaps = tuple(call.get("dilations") or [1] * rank)
    extra = list(call.get("output_padding") or [0] * rank)
    reach = [
        step * (size - 1) + (width - 1) * gap + 1 + more
        for step, size, width, gap, more in zip(strides, sizes, kernel, gaps, extra)
    ]
    edges = _edges_of_transposed(call, sizes, strides, reach)
    inner = [(max(low, 0), max(high, 0)) for low, high in edges]
    wanted = tuple(each - low - high for each, (low, high) in zip(reach, inner))
    params = {"stride": strides, "padding": tuple(inner), "dilation": gaps, "groups": call.get("group", 1)}
    covered = [(have + low + high - 1 - (width - 1) * gap) // step + 1 for have, (low, high), width, gap, step in
               zip(wanted, inner, kernel, gaps, strides)]  # fmt: skip
    if tuple(covered) != tuple(sizes):  # zeros beyond what the last place reaches
        short = tuple(each - more for each, more in zip(wanted, extra))
        y = wrap(convolution_input_gradient(*values(x, weight), sizes=short, **params))
        y = fn.pad(y, [(0, 0), (0, 0), *((0, more) for more in extra)])
    else:
        y = wrap(convolution_input_gradient(*values(x, weight), sizes=wanted, **params))
    outer = [(max(-low, 0), max(-high, 0)) for low, high in edges]
    if any(map(any, outer)):
        y = fn.pad(y, [(0, 0), (0, 0), *outer])
    return with_bias(y, bias)


def _edges_of_transposed(call: Call, sizes: Sequence[int], strides: Sequence[int], reach: Sequence[int]) -> Edges:
    """What is cut off before and after each axis; negative: what is added."""
    mode, wanted = call.text("auto_pad", "NOTSET"), call.get("output_shape")
    if wanted is None and mode in ("NOTSET", "VALID"):
        return paddings(call, sizes, reach, strides)
    if wanted is None:
        wanted = [size * step for size, step in zip(sizes, strides)]
    totals = [have - want for have, want in zip(reach, list(wanted)[-len(reach) :])]
    return [_halves(total, "SAME_UPPER" if mode == "SAME_UPPER" else "SAME_LOWER") for total in totals]


@operator("Col2Im")
def _col2im(call: Call, x: Any, image: Any, block: Any) -> Any:
    size, window = numbers(image, "the shape of the image"), numbers(block, "the shape of a block")
    rank = len(size)
    strides, gaps = list(call.get("strides") or [1] * rank), list(call.get("dilations") or [1] * rank)
    pads = list(call.get("pads") or [0] * 2 * rank)
    if rank == 2 and pads[:2] == pads[2:]:
        return F.fold(fn.asarray(x), tuple(size), tuple(window), tuple(gaps), tuple(pads[:2]), tuple(strides))
    n, channels = shape_of(x)[0], shape_of(x)[1] // math.prod(window)
    padded = [each + low + high for each, low, high in zip(size, pads[:rank], pads[rank:])]
    counts = [(each - (w - 1) * gap - 1) // step + 1 for each, w, gap, step in zip(padded, window, gaps, strides)]
    if math.prod(counts) != shape_of(x)[2]:
        raise OnnxError(f"Col2Im: {shape_of(x)[2]} blocks do not fit an image of {size}")
    columns = fn.reshape(fn.asarray(x), (n * channels, math.prod(window), *counts))
    places = fn.reshape(fn.eye(math.prod(window)), (math.prod(window), 1, *window))
    params = {"stride": tuple(strides), "dilation": tuple(gaps), "groups": 1}
    params["padding"] = tuple(zip(pads[:rank], pads[rank:]))
    weight = fn.astype(places, columns.dtype)
    y = wrap(convolution_input_gradient(*values(columns, weight), sizes=tuple(size), **params))
    return fn.reshape(y, (n, channels, *size))
