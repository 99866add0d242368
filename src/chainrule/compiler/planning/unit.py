"""What becomes one kernel: equations that share a loop nest, and how they see each other through views."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field

from ...ir.graph import Equation, Value
from ...ir.types import Shape
from ...records import dataclass
from ..arithmetic.scalar import SCALAR
from .place import dense, is_view, same_layout, view_layout

REDUCTIONS = frozenset({"sum", "max", "min", "all", "any"})


@dataclass(eq=False)
class Unit:
    """Equations that become one kernel. For a nest: its domain, the axes it reduces, and which members are rows."""

    members: list[Equation]
    is_nest: bool = False
    domain: Shape = ()
    axes: tuple[int, ...] | None = None
    rows: set[int] = field(default_factory=set)  # ids of equations
    guests: set[int] = field(default_factory=set)  # ids of equations that another unit computes too, and may keep

    @property
    def kept(self) -> tuple[int, ...]:
        """The axes of the domain that are not reduced."""
        return tuple(axis for axis in range(len(self.domain)) if axis not in (self.axes or ()))

    @property
    def row_shape(self) -> Shape:
        """The shape of row members."""
        return tuple(self.domain[axis] for axis in self.kept)

    def __str__(self) -> str:
        names = " ".join(equation.primitive.name for equation in self.members)
        if not self.is_nest:
            return names
        over = f" reducing {list(self.axes)}" if self.axes is not None else ""
        return f"nest {list(self.domain)}{over}: {names}"


def is_elementwise(equation: Equation) -> bool:
    """Whether an equation computes each element from the elements at the same place."""
    return equation.primitive.name in SCALAR and not is_view(equation)


def is_reduction(equation: Equation) -> bool:
    """Whether an equation reduces axes."""
    return equation.primitive.name in REDUCTIONS


def root_of(value: Value) -> tuple[Value, list[Equation]]:
    """The value behind views, and the views from it to `value`."""
    chain: list[Equation] = []
    while value.equation is not None and value.data is None and is_view(value.equation):
        chain.append(value.equation)
        value = value.equation.inputs[0]
    return value, chain[::-1]


def seen_through(shape: Shape, strides: tuple[int, ...], chain: Iterable[Equation]) -> tuple[int, ...] | None:
    """The strides of an array after views; None where elements would move or a part is cut out."""
    layout = (shape, strides, 0)
    for equation in chain:
        found = view_layout(equation, layout)
        if found is None or found[2] != 0 or (equation.primitive.name == "slice" and found[0] != layout[0]):
            return None
        layout = found
    return layout[1]


def reduced_axes(equation: Equation) -> tuple[int, ...]:
    """The axes that a reduction goes over, in order."""
    ndim = equation.inputs[0].ndim
    return tuple(sorted(axis % ndim for axis in equation.params["axes"])) if ndim else ()


def squeezed(shape: Shape) -> Shape:
    """A shape without axes of size 1."""
    return tuple(size for size in shape if size != 1)


def full_operand(unit: Unit, root: Value, chain: list[Equation]) -> bool:
    """Whether a member, seen through views, meets the domain element by element (a row: repeated along its axes)."""
    if id(root.equation) not in unit.rows:
        strides = seen_through(root.shape, dense(root.shape), chain)
        return (
            strides is not None and root.shape == unit.domain and same_layout(strides, dense(unit.domain), unit.domain)
        )
    strides = seen_through(root.shape, dense(root.shape), chain)
    return strides is not None and same_layout(strides, row_strides(unit), unit.domain)


def row_strides(unit: Unit) -> tuple[int, ...]:
    """The strides of a dense row over the domain: 0 along the axes that are reduced."""
    steps = iter(dense(unit.row_shape))
    return tuple(0 if axis in (unit.axes or ()) else next(steps) for axis in range(len(unit.domain)))


def row_operand(unit: Unit, root: Value, chain: list[Equation], shape: Shape) -> bool:
    """Whether a member is a row that, seen through views, meets rows of `shape` element by element."""
    if id(root.equation) not in unit.rows:
        return False
    strides = seen_through(root.shape, dense(root.shape), chain)
    return strides is not None and same_layout(strides, dense(shape), shape)
