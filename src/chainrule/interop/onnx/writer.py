"""Writes an ONNX graph: nodes with names, constants, shapes that depend on the batch, bodies of loops."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...errors import TraceError
from ...ir.graph import Equation, Graph, Value
from ...ir.types import ArrayType, NumpyArray
from .package import onnx
from .sizes import Size, Twins

BATCH = "batch"

Emitter = Callable[["Writer", Equation], str | Sequence[str]]
"""Writes the nodes of an equation and gives the names of its outputs."""


def emitter_into(table: dict[str, Emitter]) -> Callable[[str], Callable[[Emitter], Emitter]]:
    """A decorator that puts a function into the table, under the name of a primitive."""

    def named(name: str) -> Callable[[Emitter], Emitter]:
        def put(function: Emitter) -> Emitter:
            table[name] = function
            return function

        return put

    return named


Counted = Callable[["Writer", Value, Sequence[NumpyArray]], str]
"""Writes an array that follows from the size of the batch, given what it is in each graph."""


@dataclass
class Scope:
    """A graph being written: the main one, or the body of a loop or branch."""

    nodes: list[Any] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)


class Writer:
    """The nodes written so far, and the names of values."""

    def __init__(self, twins: Twins, emitters: dict[str, Emitter], counted: Counted) -> None:
        self.twins, self.emitters, self.counted = twins, emitters, counted
        self.initializers: dict[str, NumpyArray] = {}
        self.batch: str | None = None
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._shapes: dict[tuple[Size, ...], str] = {}
        self._broadcasts: dict[int, Value] = {}  # values that are an earlier one, stretched
        self._kept: list[Value] = []  # so that no id is used twice
        self._scopes = [Scope()]
        self._count = 0
        self._taken: set[str] = set()

    # -- names

    @property
    def nodes(self) -> list[Any]:
        """The nodes of the main graph."""
        return self._scopes[0].nodes

    def fresh(self, hint: str) -> str:
        """A new name."""
        self._count += 1
        return f"{hint}_{self._count}"

    def set_name(self, value: Value, name: str) -> None:
        """A value has this name from here on, in the graph that is being written."""
        self._scopes[-1].names[id(value)] = name

    def name(self, value: Value) -> str:
        """The name of a value; constants and delayed broadcasts are written when first asked for."""
        for scope in reversed(self._scopes):
            if id(value) in scope.names:
                return scope.names[id(value)]
        source = self._stretched(value)
        if id(value) in self._scopes[0].names:  # it follows from the batch
            return self._scopes[0].names[id(value)]
        if source is not None:
            name = self.node("Expand", self.name(source), self.sizes(self.twins.shape(value)))
        else:
            name = self.constant(value.data)
        self.set_name(value, name)
        return name

    def _stretched(self, value: Value) -> Value | None:
        """What a value is an enlarged copy of, if it is one: constants are where they grow with the batch."""
        if id(value) not in self._broadcasts and value.data is not None:
            found = [each.data for each in self.twins.of(value)]
            if all(each is not value.data for each in found[1:]):
                self.set_constant(value, [each for each in found if each is not None])
        return self._broadcasts.get(id(value))

    def set_constant(self, value: Value, arrays: Sequence[NumpyArray]) -> None:
        """A value is a known array, another one in each graph: they may differ by how often parts are repeated, or as
        far as they count the batch."""
        part = arrays[0]
        if not all(_same(part, each) for each in arrays):
            differ = [len(set(sizes)) > 1 for sizes in zip(*(each.shape for each in arrays))]
            part = part[tuple(slice(0, 1) if each else slice(None) for each in differ)]
            if not all(_same(np.broadcast_to(part, each.shape), each) for each in arrays):
                self._scopes[0].names[id(value)] = self.counted(self, value, arrays)
                self._kept.append(value)
                return
        if part is not value.data:
            self._broadcasts[id(value)] = Value(ArrayType(part.shape, part.dtype), np.ascontiguousarray(part))
            self._kept.append(value)

    # -- nodes

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Append a node with one output."""
        return self._append(self._scopes[-1], operator, inputs, 1, attributes)[0]

    def nodes_of(self, operator: str, inputs: Sequence[str], count: int, **attributes: Any) -> list[str]:
        """Append a node with several outputs."""
        return self._append(self._scopes[-1], operator, inputs, count, attributes)

    def in_main(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Append a node with one output to the main graph, wherever we are."""
        return self._append(self._scopes[0], operator, inputs, 1, attributes)[0]

    def _append(
        self, scope: Scope, operator: str, inputs: Sequence[str], count: int, attributes: dict[str, Any]
    ) -> list[str]:
        outputs = [self.fresh(operator) for _ in range(count)]
        scope.nodes.append(onnx().helper.make_node(operator, list(inputs), outputs, name=outputs[0], **attributes))
        return outputs

    def constant(self, array: Any) -> str:
        """An initialiser; the same elements are kept once."""
        data = np.ascontiguousarray(array).reshape(np.shape(array))
        key = (str(data.dtype), data.shape, data.tobytes())
        if key not in self._known:
            name = self._known[key] = self.fresh("constant")
            self.initializers[name] = data
        return self._known[key]

    def like(self, value: Value, number: float) -> str:
        """A number of a value's element type."""
        return self.constant(np.array(number, value.dtype))

    def cast(self, name: str, dtype: Any) -> str:
        """The same elements as another type."""
        return self.node("Cast", name, to=onnx().helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def sizes(self, sizes: Sequence[Size]) -> str:
        """A vector of sizes, int64."""
        if all(size.is_known for size in sizes):
            return self.constant(np.array([size.base for size in sizes], np.int64))
        key = tuple(sizes)
        if key not in self._shapes:
            assert self.batch is not None
            per_example = self.constant(np.array([size.per_example for size in sizes], np.int64))
            base = self.constant(np.array([size.base for size in sizes], np.int64))
            self._shapes[key] = self.in_main("Add", self.in_main("Mul", self.batch, per_example), base)
        return self._shapes[key]

    def reshape(self, name: str, sizes: Sequence[Size]) -> str:
        """The same elements in another shape."""
        open_axes = [axis for axis, size in enumerate(sizes) if not size.is_known]
        numbers = [-1 if axis in open_axes else size.base for axis, size in enumerate(sizes)]
        if len(open_axes) <= 1 and 0 not in numbers:
            return self.node("Reshape", name, self.constant(np.array(numbers, np.int64)))
        return self.node("Reshape", name, self.sizes(sizes), allowzero=1)

    # -- operands of elementwise nodes, which ONNX broadcasts by itself

    def delay_broadcast(self, value: Value, source: Value) -> None:
        """`value` is `source` stretched: it is written only if somebody needs it in full."""
        self._broadcasts[id(value)] = source

    def operands(self, values: Sequence[Value], result: Value, inner: int = 0) -> list[str]:
        """The names of operands, without their broadcasts where those go without saying: over all axes but the last
        `inner`, which a product of matrices has."""
        sources = [self._source(value) for value in values]
        if self._fit(values, sources, result, inner):
            return [self.name(source) for source in sources]
        return [self.name(value) for value in values]

    def _fit(self, values: Sequence[Value], sources: Sequence[Value], result: Value, inner: int) -> bool:
        if any(source.ndim < inner for source in sources):
            return False
        for place, wanted in enumerate(each.shape for each in self.twins.of(result)):
            shapes = [self.twins.of(source)[place].shape for source in sources]
            outer = [shape[: len(shape) - inner] for shape in shapes]
            if np.broadcast_shapes(*outer) != wanted[: len(wanted) - inner]:
                return False
            full = [self.twins.of(value)[place].shape for value in values]
            if inner and any(shape[-inner:] != each[-inner:] for shape, each in zip(shapes, full)):
                return False
        return True

    def _source(self, value: Value) -> Value:
        while not any(id(value) in scope.names for scope in self._scopes):
            source = self._stretched(value)
            if source is None:
                break
            value = source
        return value

    # -- graphs

    def emit(self, graph: Graph) -> None:
        """Write all equations of a graph whose inputs have names."""
        for equation in graph.equations:
            emitter = self.emitters.get(equation.primitive.name)
            if emitter is None:
                reason = REASONS.get(equation.primitive.name, "ONNX has no operator for it")
                made = f" (made at {equation.source})" if equation.source else ""
                raise TraceError(f"{equation.primitive.name}{made} can't be exported to ONNX: {reason}")
            names = emitter(self, equation)
            for value, name in zip(equation.outputs, [names] if isinstance(names, str) else names):
                self.set_name(value, name)

    @contextmanager
    def inside(self) -> Iterator[Scope]:
        """Write the body of a loop or branch."""
        self._scopes.append(Scope())
        yield self._scopes[-1]
        self._scopes.pop()

    def own(self, value: Value) -> str:
        """A name for an output of a graph that no one else has."""
        return self.node("Identity", self.name(value))

    def described(self, name: str, value: Value) -> Any:
        """Name, element type and shape, as ONNX writes them."""
        helper = onnx().helper
        shape = [BATCH if s.is_batch else s.base if s.is_known else None for s in self.twins.shape(value)]
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), shape)


def _same(one: NumpyArray, other: NumpyArray) -> bool:
    """Whether two arrays have the same elements, NaN being like NaN."""
    return one.shape == other.shape and one.tobytes() == other.tobytes()


REASONS = {
    "random_bits": "it draws random numbers; call model.eval() first, or pass the numbers as an input",
    "convolution_weight_gradient": "it belongs to a training step; export the network alone",
    "window_scatter": "it belongs to a training step; export the network alone",
}
