"""Units to kernel calls: a nest, or an equation in the first way that takes it, else as the table says."""

from __future__ import annotations

from ...ir.graph import Equation
from ..planning.lowering import Lowering
from ..planning.parts import lower_parts
from ..planning.place import Place
from ..planning.unit import Unit
from ..products.contraction import lower_product
from ..products.vector import lower_vector_product
from ..products.whole import lower_whole_product
from .control import lower_control
from .nest import lower_nest
from .pairs import lower_pairs

LAID_OUT_ALIKE = frozenset({"window_max", "window_scatter", "window_pick", "window_sum", "window_spread"})


def lower_unit(lowering: Lowering, unit: Unit) -> None:
    """A unit as kernel calls."""
    if unit.is_nest:
        lower_nest(lowering, unit)
        return
    (equation,) = unit.members
    if all(value.size == 0 for value in equation.outputs):
        for value in equation.outputs:
            lowering.allocate(value)
        return
    if any(way(lowering, equation) for way in WAYS):
        return
    _as_the_table_says(lowering, equation)


def _as_the_table_says(lowering: Lowering, equation: Equation) -> None:
    inputs = [lowering.place_of(value) for value in equation.inputs]
    name = equation.primitive.name
    if name in LAID_OUT_ALIKE:
        inputs, outputs = _alike(lowering, equation, inputs)
    else:
        outputs = [lowering.allocate(value) for value in equation.outputs]
    lowering.opaque(equation.primitive.name, inputs, outputs, equation.params, equation.primitive.name, equation.line)


def _alike(lowering: Lowering, equation: Equation, inputs: list[Place]) -> tuple[list[Place], list[Place]]:
    """Window operations run along the innermost axis of memory: what they read and write lies in one order.

    That of the positions, where there are any: they lie as the images did on the way forward.
    """
    from ..convolutions.convolution import laid_out

    leading = inputs[-1]
    order = leading.order if all(leading.strides) else tuple(range(len(leading.shape)))
    inputs = [
        laid_out(lowering, place, order) if place.strides and len(place.shape) == len(order) else place
        for place in inputs
    ]
    outputs = []
    for value in equation.outputs:
        lowering.wishes.pop(id(value), None)
        outputs.append(lowering.allocate(value, order))
    return inputs, outputs


def _lower_triangle(lowering: Lowering, equation: Equation) -> bool:
    """Whether it is a product of a triangle, now lowered; programs without any need not load how that is done."""
    if equation.primitive.name != "triangle_product":
        return False
    from ..products.triangle import lower_triangle

    lower_triangle(lowering, equation)
    return True


def _lower_convolution(lowering: Lowering, equation: Equation) -> bool:
    """Whether it is a convolution, now lowered; programs without any need not load how that is done."""
    if not equation.primitive.name.startswith("convolution"):
        return False
    from ..convolutions.convolution import lower_convolution
    from ..convolutions.small import lower_small_convolution
    from ..convolutions.turned import lower_turned_convolution

    ways = (lower_small_convolution, lower_turned_convolution, lower_convolution)
    return any(way(lowering, equation) for way in ways)


WAYS = (
    *(lower_control, lower_whole_product, lower_vector_product, lower_product, _lower_triangle),
    *(lower_pairs, _lower_convolution, lower_parts),
)
"""How an equation that is no nest may be lowered, tried in this order; else as the table says."""
