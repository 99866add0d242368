"""Values, equations, graphs.

Grammar of the IR:

    graph    ::= inputs: value*   equations: equation*   outputs: value*
    equation ::= value+ = primitive(value*, name=parameter*)
    value    ::= an input of a graph | an output of an equation | a constant (it has data)

A value is assigned once and never changes. The same values serve two lives: in a trace they stand for arrays to come;
in eager execution each carries its array, and the equations behind it are the record that gradients walk.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from ..records import dataclass
from ..source import SourceLine
from .operand import Operand
from .primitive import Primitive
from .types import ArrayType, DType, NumpyArray, Shape

_order = itertools.count()


class Value(Operand):
    """One array, known by its type, computed or yet to be computed.

    data: its elements where they are known (constants and eager values), else None.
    tracked: whether gradients flow through it.
    """

    __slots__ = ("__weakref__", "data", "equation", "index", "source", "tracked", "type")

    def __init__(
        self,
        type: ArrayType,
        data: NumpyArray | None = None,
        equation: Equation | None = None,
        index: int = 0,
        tracked: bool = False,
        source: SourceLine | None = None,
    ) -> None:
        self.type = type
        self.data = data
        self.equation = equation
        self.index = index
        self.tracked = tracked
        self.source = source

    @property
    def shape(self) -> Shape:
        """Sizes of the axes."""
        return self.type.shape

    @property
    def dtype(self) -> DType:
        """Element type."""
        return self.type.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.type.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.type.size

    @property
    def is_constant(self) -> bool:
        """Whether nothing computes it: it only has data."""
        return self.equation is None and self.data is not None

    @property
    def is_leaf(self) -> bool:
        """Whether gradients stop here: nothing computed it, as far as they are concerned."""
        return self.equation is None

    @property
    def is_placeholder(self) -> bool:
        """Whether it stands for an array to come."""
        return self.equation is None and self.data is None

    def __index__(self) -> int:
        """A known integer serves as a size or an axis."""
        if self.data is None or self.size != 1 or self.dtype.kind not in "iu":
            raise TypeError(f"{self!r} is no single known integer")
        return int(self.data.item())

    def __repr__(self) -> str:
        return f"<value {self.type}>"


class Equation:
    """One application of a primitive. `order` grows with time, so inputs always have a smaller order than outputs."""

    __slots__ = ("_arrays", "_outputs", "derives", "inputs", "order", "params", "primitive", "source")

    def __init__(
        self,
        primitive: Primitive,
        inputs: tuple[Value, ...],
        params: Mapping[str, Any],
        source: SourceLine | None = None,
    ) -> None:
        self.primitive = primitive
        self.inputs = inputs
        self.params = params
        self.source = source
        self.derives: tuple[str, SourceLine | None] | None = None  # the operation whose derivative it belongs to
        self.order = next(_order)
        self._arrays: tuple[NumpyArray, ...] | None = None
        self._outputs: tuple[Any, ...] = ()

    @property
    def line(self) -> str:
        """The user's line as text; nothing where it is not known."""
        return str(self.source) if self.source else ""

    def produce(self, types: Sequence[ArrayType], tracked: bool) -> tuple[Value, ...]:
        """Make the outputs of an equation of a graph."""
        source = self.source
        self._outputs = tuple(
            [Value(kind, None, self, index, tracked and kind.is_float, source) for index, kind in enumerate(types)]
        )
        return self._outputs

    def produce_eagerly(self, types: Sequence[ArrayType], arrays: Sequence[NumpyArray]) -> tuple[Value, ...]:
        """Make the outputs of an equation that is already computed.

        It keeps the arrays and only weak references to the values: a cycle would keep every activation alive
        until the garbage collector comes by.
        """
        outputs = tuple(
            Value(kind, array, self, index, kind.is_float, self.source)
            for index, (kind, array) in enumerate(zip(types, arrays))
        )
        self._arrays = tuple(arrays)
        self._outputs = tuple(weakref.ref(value) for value in outputs)
        return outputs

    @property
    def output_count(self) -> int:
        """How many values it computes."""
        return len(self._outputs)

    @property
    def outputs(self) -> tuple[Value, ...]:
        """What it computes."""
        if self._arrays is None:
            return self._outputs
        return tuple(self._eager_output(index, array) for index, array in enumerate(self._arrays))

    def _eager_output(self, index: int, array: NumpyArray) -> Value:
        alive: Value | None = self._outputs[index]()
        if alive is not None:
            return alive
        kind = ArrayType(array.shape, array.dtype)
        return Value(kind, array, self, index, kind.is_float, self.source)

    def __repr__(self) -> str:
        return f"<equation {self.primitive.name}/{len(self.inputs)}>"


@dataclass(frozen=True, eq=False)
class Graph:
    """A program: typed inputs, equations in an order in which they can run, outputs."""

    inputs: tuple[Value, ...]
    equations: tuple[Equation, ...]
    outputs: tuple[Value, ...]
    name: str = "graph"

    __str__: ClassVar[Callable[..., str]]
    """Its text form: `show_graph` of show.py."""
