"""Large sums in two steps, so that several threads can share them: first within each example, then over the examples.

How a sum is cut follows from its shape alone, so the bits are the same for any number of threads.
"""

from __future__ import annotations

import math

from ..ir.graph import Equation, Graph, Value
from ..ir.primitive import all_primitives
from ..passes.rewrite import Inputs, Rewriter, apply_rules

LARGE = 1 << 16
FEW = 256


def split_reductions(graph: Graph) -> Graph:
    """`graph` with reductions of much into little done in two steps."""
    known = all_primitives()
    return apply_rules(graph, {known[name]: (_split,) for name in ("sum", "max", "min")})


def _split(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    (value,) = inputs
    axes = tuple(sorted(axis % max(value.ndim, 1) for axis in equation.params["axes"]))
    if value.size < LARGE or len(axes) < 2 or equation.outputs[0].size >= FEW:
        return None
    first = axes[0]
    if value.shape[first] < 8 or math.prod(value.shape[axis] for axis in axes[1:]) < 8:
        return None
    primitive = equation.primitive
    parts = rewriter.emit(primitive, value, axes=axes[1:])
    return rewriter.emit(primitive, parts, axes=(first,))
