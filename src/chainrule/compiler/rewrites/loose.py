"""Rewrites before compiling that keep every number but the sign of a zero, the order of a sum, digits next to zero.

Cotangents of slices, padded with zeros and added up, are put side by side instead. Products that a loop adds up are
left to one large product after the loop. A product of a column and a row is a multiplication element by element, which
shares its nest with what follows: with a batch of one, the gradient of a weight with its update.
"""

from __future__ import annotations

from ...ir.graph import Equation, Graph, Value
from ...ir.primitive import all_primitives
from ...passes.remove_unused import remove_unused
from ...passes.rewrite import Inputs, Rewriter, apply_rules, full
from ...records import dataclass
from .loop_views import with_body


def rewrite_loosely(graph: Graph) -> Graph:
    """`graph` with all of them done, in the bodies of loops too."""
    known = all_primitives()
    rules = {
        known["add"]: (_side_by_side, _twice),
        known["scan"]: (_in_body, _product_after),
        known["matmul"]: (_outer,),
        known["slice"]: (_part_of_gradient,),
    }
    return remove_unused(apply_rules(graph, rules))


# -- where images were padded


def _part_of_gradient(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    """Gradients of padded images whose edges are cut off: as if the convolution itself had padded them."""
    known = all_primitives()
    gradient = rewriter.origin(inputs[0], known["convolution_input_gradient"])
    starts, stops, steps = (equation.params[name] for name in ("starts", "stops", "steps"))
    shape = inputs[0].shape
    if gradient is None or any(step != 1 for step in steps) or 0 in equation.outputs[0].shape:
        return None
    if starts[:2] != (0, 0) or stops[:2] != shape[:2]:
        return None
    edges = [(start, size - stop) for start, stop, size in zip(starts[2:], stops[2:], shape[2:])]
    padding = [(low + first, high + last) for (low, high), (first, last) in zip(gradient.params["padding"], edges)]
    params = {**gradient.params, "padding": tuple(padding), "sizes": equation.outputs[0].shape[2:]}
    return rewriter.emit(gradient.primitive, *gradient.inputs, **params)


# -- products over nothing


def _outer(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    column, row = inputs
    result = equation.outputs[0]
    if column.shape[-1] != 1 or result.dtype.kind != "f" or 1 in result.shape[-2:]:
        return None
    known = all_primitives()
    spread = [rewriter.emit(known["broadcast_to"], factor, shape=result.shape) for factor in (column, row)]
    return rewriter.emit(known["multiply"], *spread)


# -- padded parts


@dataclass(frozen=True)
class _Part:
    start: int
    stop: int
    value: Value


def _parts(rewriter: Rewriter, value: Value) -> tuple[int, list[_Part]] | None:
    """The axis along which a sum of padded arrays is made of parts, and those."""
    equation = value.equation
    if equation is None or value.data is not None:
        return None
    if equation.primitive.name == "pad":
        return _padded(equation)
    if equation.primitive.name != "add":
        return None
    first = _parts(rewriter, equation.inputs[0])
    second = None if first is None else _parts(rewriter, equation.inputs[1])
    if first is None or second is None or first[0] != second[0]:
        return None
    axis, parts = first[0], [*first[1], *second[1]]
    return None if len(parts) > value.shape[axis] else (axis, parts)  # more than that lie on each other


def _padded(equation: Equation) -> tuple[int, list[_Part]] | None:
    low, high, interior = (equation.params[name] for name in ("low", "high", "interior"))
    axes = [axis for axis, widths in enumerate(zip(low, high)) if any(widths)]
    if len(axes) != 1 or any(interior):
        return None
    (axis,) = axes
    source = equation.inputs[0]
    return axis, [_Part(low[axis], low[axis] + source.shape[axis], source)]


def _side_by_side(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    found = [_parts(rewriter, value) for value in inputs]
    if found[0] is None or found[1] is None or found[0][0] != found[1][0]:
        return None
    axis = found[0][0]
    parts = sorted([*found[0][1], *found[1][1]], key=lambda part: part.start)
    edges = [0, *(part.stop for part in parts)]
    if [part.start for part in parts] != edges[:-1] or edges[-1] != equation.outputs[0].shape[axis]:
        return None
    return rewriter.emit(all_primitives()["concat"], *(part.value for part in parts), axis=axis)


# -- derivatives of squares


def _twice(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    """c x + c x with a number c is one multiplication."""
    product = rewriter.origin(inputs[0], all_primitives()["multiply"])
    if inputs[0] is not inputs[1] or product is None or product.outputs[0].dtype.kind != "f":
        return None
    for factor, other in (product.inputs, product.inputs[::-1]):
        number = rewriter.number(factor)
        if number is not None and abs(number) < 1:
            return rewriter.emit(product.primitive, full(2 * number, factor.type), other)
    return None


# -- loops


def _in_body(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> tuple[Value, ...] | None:
    """The same rewrites in the body of a loop."""
    body = rewrite_loosely(equation.params["body"])
    return None if body is equation.params["body"] else _emit_loop(rewriter, equation, inputs, body=body)


def _emit_loop(rewriter: Rewriter, old: Equation, inputs: Inputs, **changes: object) -> tuple[Value, ...]:
    """Write a loop again. After its body is rewritten its products may be taken out, too."""
    values = with_body(rewriter, old, inputs, **changes)
    found = _product_after(rewriter, rewriter.equations[-1], inputs)
    return values if found is None else found


@dataclass(frozen=True)
class _Summed:
    """A part of the carry to which each round adds a product of two matrices, and which nothing else reads."""

    place: int
    first: Value
    second: Value
    turned: bool


def _product_after(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> tuple[Value, ...] | None:
    """Take the first such product out of a loop; `values` of the loop in the order they had."""
    params = equation.params
    body: Graph = params["body"]
    fixed, carry = params["constants"], params["carry"]
    for place in range(carry):
        summed = _summed(body, fixed, place)
        if summed is not None and params["length"] > 1:
            return _take_out(rewriter, equation, inputs, summed)
    return None


def _summed(body: Graph, fixed: int, place: int) -> _Summed | None:
    total, before = body.outputs[place], body.inputs[fixed + place]
    equation = total.equation
    if equation is None or total.data is not None or equation.primitive.name != "add" or total.ndim != 2:
        return None
    readers = [each for each in body.equations if any(value is before for value in each.inputs)]
    if readers != [equation] or sum(value is total for value in body.outputs) != 1:
        return None
    if any(value is before for value in body.outputs) or any(
        value is total for each in body.equations for value in each.inputs
    ):
        return None
    others = [value for value in equation.inputs if value is not before]
    return _factors(place, others[0]) if len(others) == 1 else None


def _factors(place: int, value: Value) -> _Summed | None:
    """The factors of a product, or of a product that was turned: (A B)ᵀ = Bᵀ Aᵀ."""
    inner = _turned(value)
    product = (value if inner is None else inner).equation
    if product is None or product.primitive.name != "matmul":
        return None
    first, second = product.inputs
    before = _turned(first)
    if inner is not None:
        return None if before is None else _Summed(place, second, before, True)
    return _Summed(place, first, second, False) if before is None else _Summed(place, before, second, True)


def _turned(value: Value) -> Value | None:
    """What a matrix is the transpose of, if an equation made it so."""
    equation = value.equation
    if equation is None or value.data is not None or equation.primitive.name != "permute_dims":
        return None
    return equation.inputs[0] if tuple(equation.params["axes"]) == (1, 0) else None


def _take_out(rewriter: Rewriter, equation: Equation, inputs: Inputs, summed: _Summed) -> tuple[Value, ...]:
    known, params = all_primitives(), equation.params
    body: Graph = params["body"]
    fixed, carry, length = params["constants"], params["carry"], params["length"]
    gone = fixed + summed.place
    kept_inputs = (*body.inputs[:gone], *body.inputs[gone + 1 :])
    kept_outputs = (*body.outputs[: summed.place], *body.outputs[summed.place + 1 :])
    narrow = remove_unused(Graph(kept_inputs, body.equations, (*kept_outputs, summed.first, summed.second), body.name))
    operands = (*inputs[:gone], *inputs[gone + 1 :])
    values = list(_emit_loop(rewriter, equation, operands, body=narrow, carry=carry - 1))
    second, first = values.pop(), values.pop()
    columns = rewriter.emit(known["reshape"], second, shape=(length * second.shape[1], second.shape[2]))
    if summed.turned:
        flat = rewriter.emit(known["reshape"], first, shape=(length * first.shape[1], first.shape[2]))
        rows = rewriter.emit(known["permute_dims"], flat, axes=(1, 0))
    else:
        moved = rewriter.emit(known["permute_dims"], first, axes=(1, 0, 2))
        rows = rewriter.emit(known["reshape"], moved, shape=(first.shape[1], length * first.shape[2]))
    product = rewriter.emit(known["matmul"], rows, columns)
    total = rewriter.emit(known["add"], inputs[gone], product)
    values.insert(summed.place, total)
    return tuple(values)
