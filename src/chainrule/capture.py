"""Capture: trace a function once, with everything it reads and writes outside itself as inputs and outputs.

Tensors that live outside the function (parameters, moments, running statistics, random state) are cells: the graph
gets their contents as inputs, and gives what the function assigns to them as outputs. Options of optimisers that
change between steps (the learning rate) are numbers read anew at each run. What else the function looked at while it
was traced is guarded: a run asks first whether it is still the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

from . import tree
from .captured import Captured, Guard, Guards
from .captured_module import names_in
from .capturing import Capture
from .errors import GraphError, TraceError
from .ir.build import placeholder, precision, precision_place, tracing
from .ir.check import check_graph
from .ir.graph import Equation, Graph, Value
from .ir.signature import same_graph
from .ir.types import ArrayType
from .names import name_of
from .rebuilt import Rebuilt
from .surroundings.kept import refuse_left
from .tensor import wrap
from .tensor.contents import apart
from .trace import result_value

CHANGED = (
    "each run of {function} changes {what}, but one trace stands for many runs here, which would all find the same. "
    "Keep such a count in a tensor that is assigned to (self.steps = cr.tensor(0), then self.steps += 1), draw random "
    "numbers with cr.random, give what changes as an array among the arguments, or call the compiled function batch by "
    "batch: that traces it anew each time"
)


class Use(Enum):
    """What a capture is for. The value: why what the function changes around itself may have to be put back."""

    RUN = None  # one run, now: what the trace changed, it changed once, as the function does
    LOOK = "it is traced only to be looked at"
    FILE = "it is traced only to be written to a file"
    MANY = "one trace stands for many runs"


def capture(
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any] | None = None,
    trace: Capture | None = None,
    use: Use = Use.LOOK,
) -> Captured:
    """Trace `function` on arguments whose leaves are ArrayTypes (arrays to come) or anything else (passed as it is).

    trace: a capture of the caller's own, which can note more about each equation than the graph needs.
    No tensor is changed by it. Raises TraceError where the function can't be traced, naming the user's line; then, and
    where nothing is run, nothing else is changed either. A function that changes at each run what it reads has no
    program for many runs: that is a TraceError, too.
    """
    leaves, structure = tree.flatten((tuple(args), dict(kwargs or {})))
    inputs = {number: placeholder(leaf) for number, leaf in enumerate(leaves) if isinstance(leaf, ArrayType)}
    given = [wrap(inputs[number]) if number in inputs else leaf for number, leaf in enumerate(leaves)]
    trace = Capture() if trace is None else trace
    trace.around.names, trace.around.undone = names_in(function), use.value
    trace.arguments = {id(given[number]) for number in inputs}
    positional, named = tree.unflatten(structure, given)
    trace.around.start(function, positional, named)
    rebuilt = Rebuilt((positional, named))
    before = precision()
    try:
        with apart(), tracing(trace):
            result = function(*positional, **named)
            rebuilt.check(function)
            result_leaves, result_structure = tree.flatten(result)
            results = [_adopted_result(trace, leaf) for leaf in result_leaves]
            del result, result_leaves, positional, named, rebuilt
            once_more = trace.end()
            cells, contents, cleared = trace.outputs()
    except TraceError:
        trace.around.undo()
        raise
    if once_more:
        return capture(function, args, kwargs, trace.again(), use)
    if trace.asked_precision:
        guard = Guard("the precision of products (cr.autocast)", *precision_place(), before)
        trace.guards.setdefault("precision", guard)
    around = trace.around
    guards = Guards((*trace.guards.values(), *around.modules), around.places, around.changed)
    numbers = list(trace.numbers.values())
    graph_inputs = (*inputs.values(), *(value for _, value in trace.cells), *(value for _, value in numbers))
    typed = {id(equation): equation for equation in trace.equations}  # bind has just asked their type rules
    graph = Graph(graph_inputs, tuple(trace.equations), (*results, *contents), name_of(function))
    found = Captured(
        _checked(graph, typed),
        len(inputs),
        tuple(cell for cell, _ in trace.cells),
        tuple(number for number, _ in numbers),
        result_structure,
        len(results),
        tuple(cells),
        tuple(cleared),
        guards,
    )
    return _usable(found, trace, function, use, lambda following: capture(function, args, kwargs, following, use))


def _usable(
    found: Captured, trace: Capture, function: Callable[..., Any], use: Use, again: Callable[[Capture], Captured]
) -> Captured:
    """A program that fits this run only is for no other use, unless only the first run changes something (it keeps what
    it computed for the next ones): then a second trace gives the same program, and changes nothing."""
    known, changed = trace.known, found.guards.changed
    if known is None and (use is Use.RUN or not changed):
        return found
    if known is None and use is not Use.LOOK:
        return again(trace.anew(found))
    alike = known is not None and _same_program(known, found)
    if alike and not changed and use is Use.MANY:
        return found
    trace.around.undo()
    if use is Use.LOOK or (alike and use is Use.FILE):
        return found
    what = changed or (known.guards.changed if known else ())
    raise TraceError(CHANGED.format(function=name_of(function), what=", ".join(what[:3])))


def _same_program(one: Captured, other: Captured) -> bool:
    return same_graph(one.graph, other.graph) and _around(one) == _around(other)


def _around(found: Captured) -> tuple[Any, ...]:
    """What a program reads and writes."""
    read, written = ([(type(cell), id(cell.owner)) for cell in cells] for cells in (found.cells, found.written))
    numbers = [(id(number.container), number.key, number.index) for number in found.numbers]
    return found.result_structure, read, written, numbers, list(map(id, found.cleared))


def _checked(graph: Graph, typed: dict[int, Equation]) -> Graph:
    try:
        return check_graph(graph, typed=typed)
    except GraphError:
        refuse_left(graph)
        raise


def _adopted_result(trace: Capture, leaf: Any) -> Value:
    return trace.adopt((result_value(leaf, "a compiled function"),))[0]
