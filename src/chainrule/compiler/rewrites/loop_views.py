"""What a loop would stack although it lies somewhere already.

Parts of one array: the loop stacks the whole, the parts are views of that. The four gates of an LSTM are so: cut out of
one product, and all of them kept for the gradient. And what a loop only hands on: slices of what it goes through.
"""

from __future__ import annotations

from ...ir.graph import Equation, Graph, Value
from ...ir.primitive import all_primitives
from ...passes.rewrite import Inputs, Rewriter, apply_rules


def views_after_loops(graph: Graph) -> Graph:
    """`graph` with parts taken from stacks, not stacked, and nothing stacked that is a stack already."""
    return apply_rules(graph, {all_primitives()["scan"]: (_handed_on, _parts_after)})


def _handed_on(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> tuple[Value, ...] | None:
    """Slices of an array that the body gives back as they are: their stack is that array."""
    body: Graph = equation.params["body"]
    carry = equation.params["carry"]
    first = equation.params["constants"] + carry
    stack_of = {id(value): stack for value, stack in zip(body.inputs[first:], inputs[first:])}
    results = body.outputs[carry:]
    if not any(id(value) in stack_of for value in results):
        return None
    kept = [value for value in results if id(value) not in stack_of]
    changed = Graph(body.inputs, body.equations, (*body.outputs[:carry], *kept), body.name)
    found = iter(with_body(rewriter, equation, inputs, body=changed))
    state = [next(found) for _ in range(carry)]
    return (*state, *(stack_of[id(value)] if id(value) in stack_of else next(found) for value in results))


def _parts_after(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> tuple[Value, ...] | None:
    body: Graph = equation.params["body"]
    carry = equation.params["carry"]
    whole = _whole(body.outputs[carry:])
    if whole is None:
        return None
    kept = [value for value in body.outputs if value is not whole and _source(value) is not whole]
    if len(kept) < carry or any(value is not other for value, other in zip(body.outputs[:carry], kept)):
        return None  # a part is carried, too
    changed = Graph(body.inputs, body.equations, (*kept, whole), body.name)
    stacks = with_body(rewriter, equation, inputs, body=changed)
    stack_of = {id(value): stack for value, stack in zip(changed.outputs[carry:], stacks[carry:])}
    return (*stacks[:carry], *(_read(rewriter, value, stack_of, whole) for value in body.outputs[carry:]))


def _whole(results: tuple[Value, ...]) -> Value | None:
    """An array of which the results have parts that are at least its size together."""
    for value in results:
        source = _source(value)
        if source is not None and sum(v.size for v in results if _source(v) is source or v is source) >= source.size:
            return source
    return None


def _source(value: Value) -> Value | None:
    """What a value is cut out of, if that is computed in the same body."""
    equation = value.equation
    if equation is None or value.data is not None or equation.primitive.name != "slice":
        return None
    source = equation.inputs[0]
    return source if source.equation is not None and source.data is None else None


def with_body(rewriter: Rewriter, old: Equation, inputs: Inputs, **changes: object) -> tuple[Value, ...]:
    """Write a loop again, with other parameters."""
    params = {**old.params, **changes}
    kinds = old.primitive.type_rule(*[value.type for value in inputs], **params)
    copy = Equation(old.primitive, inputs, params, old.source)
    rewriter.equations.append(copy)
    return copy.produce(kinds if isinstance(kinds, tuple) else (kinds,), tracked=False)


def _read(rewriter: Rewriter, value: Value, stack_of: dict[int, Value], whole: Value) -> Value:
    """A result of the loop: its own stack, or its part of that of the whole."""
    stack = stack_of.get(id(value))
    if stack is not None:
        return stack
    assert value.equation is not None
    known, stack = value.equation.params, stack_of[id(whole)]
    starts, stops, steps = (
        (first, *known[name]) for first, name in ((0, "starts"), (stack.shape[0], "stops"), (1, "steps"))
    )
    return rewriter.emit(all_primitives()["slice"], stack, starts=starts, stops=stops, steps=steps)
