"""How many floating-point operations a graph asks for: multiplications and additions of products and convolutions."""

from __future__ import annotations

import math

from ...ir.graph import Equation, Graph, Value

FEW_PRODUCTS = 2
MUCH_WORK = 1 << 32


def is_worth_long_code(graph: Graph) -> bool:
    """Whether products should run a percent or two faster for code that LLVM takes twice as long to compile.

    Where products are few that is soon done; where they are many it pays for itself if a step takes long.
    """
    return sum(_of(each) > 0 for each in graph.equations) <= FEW_PRODUCTS or operations(graph) >= MUCH_WORK


def operations(graph: Graph) -> float:
    """Two for each product that is added up. Elementwise operations, which are few beside them, are not counted."""
    return sum(map(_of, graph.equations))


def _of(equation: Equation) -> float:
    name, params, inputs = equation.primitive.name, equation.params, equation.inputs
    if name == "matmul":
        return 2.0 * equation.outputs[0].size * inputs[0].shape[-1]
    if name == "triangle_product":
        return 1.0 * equation.outputs[0].size * inputs[0].shape[-1]
    if name.startswith("convolution"):
        return _of_convolution(equation)
    if name == "scan":
        return float(params["length"]) * operations(params["body"])
    if name == "cond":
        return max(operations(params["true_body"]), operations(params["false_body"]))
    return operations(params["body"]) if isinstance(params.get("body"), Graph) else 0.0


def _of_convolution(equation: Equation) -> float:
    """Of the taps that meet an element of the image: padding is not multiplied."""
    image, weight, result = _parts(equation)
    share = 1.0
    for axis, (stride, gap, (low, _)) in enumerate(
        zip(*(equation.params[n] for n in ("stride", "dilation", "padding")))
    ):
        size, kernel, places = image.shape[2 + axis], weight.shape[2 + axis], result.shape[2 + axis]
        met = sum(0 <= i * stride + k * gap - low < size for i in range(places) for k in range(kernel))
        share *= met / max(1, places * kernel)
    return 2.0 * result.size * math.prod(weight.shape[1:]) * share


def _parts(equation: Equation) -> tuple[Value, Value, Value]:
    """Image, weights and result of the convolution that an equation is, or is a gradient of."""
    (first, second), (output,) = equation.inputs, equation.outputs
    return {
        "convolution": (first, second, output),
        "convolution_input_gradient": (output, second, first),
        "convolution_weight_gradient": (first, output, second),
    }[equation.primitive.name]
