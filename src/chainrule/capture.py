"""Capture: trace a function once, with everything it reads and writes outside itself as inputs and outputs.

Tensors that live outside the function (parameters, moments, running statistics, random state) are cells: the graph
gets their contents as inputs, and gives what the function assigns to them as outputs. Options of optimisers that
change between steps (the learning rate) are numbers read anew at each run. What else the function looked at while it
was traced is guarded: a run asks first whether it is still the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import tree
from .captured import Captured, Guard, Guards
from .captured_module import names_in
from .capturing import Capture
from .errors import TraceError
from .ir.build import placeholder, precision, precision_place, tracing
from .ir.check import check_graph
from .ir.graph import Graph, Value
from .ir.types import ArrayType
from .ops.operators import lift
from .rebuilt import Rebuilt
from .tensor import Tensor, unwrap, wrap
from .tensor.contents import apart


def capture(
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any] | None = None,
    trace: Capture | None = None,
) -> Captured:
    """Trace `function` on arguments whose leaves are ArrayTypes (arrays to come) or anything else (passed as it is).

    trace: a capture of the caller's own, which can note more about each equation than the graph needs.
    No tensor is changed by it. Raises TraceError where the function can't be traced, naming the user's line.
    """
    leaves, structure = tree.flatten((tuple(args), dict(kwargs or {})))
    inputs = {number: placeholder(leaf) for number, leaf in enumerate(leaves) if isinstance(leaf, ArrayType)}
    given = [wrap(inputs[number]) if number in inputs else leaf for number, leaf in enumerate(leaves)]
    trace = Capture() if trace is None else trace
    trace.names = names_in(function)
    trace.arguments = {id(given[number]) for number in inputs}
    positional, named = tree.unflatten(structure, given)
    trace.around.start(function, positional, named)
    rebuilt = Rebuilt((positional, named))
    before = precision()
    with apart(), tracing(trace):
        result = function(*positional, **named)
        rebuilt.check(function)
        result_leaves, result_structure = tree.flatten(result)
        results = [_adopted_result(trace, leaf) for leaf in result_leaves]
        del result, result_leaves, positional, named, rebuilt
        once_more = trace.end()
        cells, contents, cleared = trace.outputs()
    if once_more:
        following = trace.again()
        following.is_again = True
        return capture(function, args, kwargs, following)
    if trace.asked_precision:
        guard = Guard("the precision of products (cr.autocast)", *precision_place(), before)
        trace.guards.setdefault("precision", guard)
    numbers = list(trace.numbers.values())
    graph_inputs = (*inputs.values(), *(value for _, value in trace.cells), *(value for _, value in numbers))
    name = getattr(function, "__name__", "function")
    typed = {id(equation): equation for equation in trace.equations}  # bind has just asked their type rules
    graph = Graph(graph_inputs, tuple(trace.equations), (*results, *contents), name)
    return Captured(
        check_graph(graph, typed=typed),
        len(inputs),
        tuple(cell for cell, _ in trace.cells),
        tuple(number for number, _ in numbers),
        result_structure,
        len(results),
        tuple(cells),
        tuple(cleared),
        Guards(tuple(trace.guards.values()), trace.places),
    )


def _adopted_result(trace: Capture, leaf: Any) -> Value:
    if isinstance(leaf, Tensor | Value | np.ndarray | np.generic | bool | int | float):
        return trace.adopt((lift(unwrap(leaf)),))[0]
    kind, shown = type(leaf).__name__, f"{leaf!r}"[:60]
    raise TraceError(f"a compiled function returns arrays in containers, not {kind}: leave {shown} out of its result")
