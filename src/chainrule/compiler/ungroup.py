"""A convolution in a few groups as that many convolutions: each then has a fast kernel."""

from __future__ import annotations

from ..ir.graph import Equation, Graph, Value
from ..ir.primitive import all_primitives
from ..passes.rewrite import Inputs, Rewriter, apply_rules

MOST_GROUPS = 8


def ungroup(graph: Graph) -> Graph:
    """`graph` with its grouped convolutions taken apart; those of many groups (depthwise) stay."""
    known = all_primitives()
    names = ("convolution", "convolution_input_gradient", "convolution_weight_gradient")
    return apply_rules(graph, {known[name]: (_apart,) for name in names})


def _apart(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    groups = equation.params["groups"]
    if not 1 < groups <= MOST_GROUPS or equation.outputs[0].size == 0 or any(value.size == 0 for value in inputs):
        return None
    name, params = equation.primitive.name, {**equation.params, "groups": 1}
    first, second = inputs
    # images are cut along channels, weights along output channels
    second_axis = 1 if name == "convolution_weight_gradient" else 0
    joined_axis = 0 if name == "convolution_weight_gradient" else 1
    parts = [
        rewriter.emit(
            equation.primitive,
            _part(rewriter, first, 1, number, groups),
            _part(rewriter, second, second_axis, number, groups),
            **params,
        )
        for number in range(groups)
    ]
    return rewriter.emit(all_primitives()["concat"], *parts, axis=joined_axis)


def _part(rewriter: Rewriter, value: Value, axis: int, number: int, groups: int) -> Value:
    size = value.shape[axis] // groups
    starts, stops = [0] * value.ndim, list(value.shape)
    starts[axis], stops[axis] = number * size, (number + 1) * size
    params = {"starts": tuple(starts), "stops": tuple(stops), "steps": (1,) * value.ndim}
    return rewriter.emit(all_primitives()["slice"], value, **params)
