"""Convolutions and windows as ONNX operators."""

from __future__ import annotations

import math

import numpy as np

from ...ir.graph import Equation
from .sizes import Size, known
from .writer import Emitter, Writer


def _pads(equation: Equation) -> list[int]:
    padding = equation.params["padding"]
    return [low for low, _ in padding] + [high for _, high in padding]


def _options(equation: Equation) -> dict[str, list[int]]:
    params = equation.params
    return {"strides": list(params["stride"]), "dilations": list(params["dilation"]), "pads": _pads(equation)}


def _convolution(w: Writer, equation: Equation) -> str:
    params = equation.params
    return w.node("Conv", *map(w.name, equation.inputs), group=params["groups"], **_options(equation))


def _transposed(w: Writer, equation: Equation) -> str:
    params = equation.params
    g, weight = equation.inputs
    known(w.twins.shape(equation.outputs[0])[2:])
    reach = [
        step * (size - 1) + (kernel - 1) * gap + 1 - low - high
        for step, size, kernel, gap, (low, high) in zip(
            params["stride"], g.shape[2:], weight.shape[2:], params["dilation"], params["padding"]
        )
    ]
    extra = [size - covered for size, covered in zip(params["sizes"], reach)]
    return w.node(
        "ConvTranspose",
        *map(w.name, equation.inputs),
        group=params["groups"],
        output_padding=extra,
        **_options(equation),
    )


def _window_max(w: Writer, equation: Equation) -> list[str]:
    params, (x,) = equation.params, equation.inputs
    values, places = w.nodes_of("MaxPool", [w.name(x)], 2, kernel_shape=list(params["window"]), **_options(equation))
    plane = w.constant(np.array(math.prod(x.shape[2:]), np.int64))
    return [values, w.cast(w.node("Mod", places, plane), np.int32)]


def _window_sum(w: Writer, equation: Equation) -> str:
    params, (x,) = equation.params, equation.inputs
    window = list(params["window"])
    options = {"strides": list(params["stride"]), "pads": _pads(equation)}
    if all(gap == 1 for gap in params["dilation"]):
        mean = w.node("AveragePool", w.name(x), kernel_shape=window, count_include_pad=1, **options)
        return w.node("Mul", mean, w.like(x, math.prod(window)))
    shape = w.twins.shape(x)
    planes = Size(shape[0].base * shape[1].base, shape[0].per_example * shape[1].base)
    flat = w.reshape(w.name(x), [planes, Size(1), *shape[2:]])
    ones = w.constant(np.ones((1, 1, *window), x.dtype))
    sums = w.node("Conv", flat, ones, dilations=list(params["dilation"]), **options)
    return w.reshape(sums, w.twins.shape(equation.outputs[0]))


WINDOWS: dict[str, Emitter] = {
    "convolution": _convolution,
    "convolution_input_gradient": _transposed,
    "window_max": _window_max,
    "window_sum": _window_sum,
}
