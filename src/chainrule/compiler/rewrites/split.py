"""Large sums in two steps, so that several threads can share them: first within each example, then over the examples.

So are sums of many rows into one, if the rows come in a few blocks. With convolutions, whose arrays have the height
outermost: first within each row of places, then over the rows.
How a sum is cut follows from its shape alone, so the bits are the same for any number of threads.
"""

from __future__ import annotations

import math
from functools import partial

from ...ir.graph import Equation, Graph, Value
from ...ir.primitive import all_primitives
from ...passes.rewrite import Inputs, Rewriter, apply_rules

LARGE = 1 << 16
FEW = 256
MOST_PARTS = 64
HEIGHT = 2


def split_reductions(graph: Graph) -> Graph:
    """`graph` with reductions of much into little done in two steps."""
    known = all_primitives()
    images = any(each.primitive.name == "convolution" and each.inputs[0].ndim == 4 for each in graph.equations)
    rule = partial(_split, images)
    return apply_rules(graph, {known[name]: (rule,) for name in ("sum", "max", "min")})


def _split(images: bool, rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    (value,) = inputs
    axes = tuple(sorted(axis % max(value.ndim, 1) for axis in equation.params["axes"]))
    if value.size < LARGE or len(axes) < 2:
        return None
    into_rows = axes == tuple(range(len(axes))) and value.shape[0] <= MOST_PARTS
    if equation.outputs[0].size >= FEW and not into_rows:
        return None
    tall = images and value.ndim == 4 and HEIGHT in axes and value.shape[HEIGHT] >= 8
    last = HEIGHT if tall else axes[0]
    first = tuple(axis for axis in axes if axis != last)
    if value.shape[last] < 8 or math.prod(value.shape[axis] for axis in first) < 8:
        return None
    primitive = equation.primitive
    parts = rewriter.emit(primitive, value, axes=first)
    return rewriter.emit(primitive, parts, axes=(last - sum(axis < last for axis in first),))
