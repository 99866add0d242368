"""The forward and backward computation graph of a function, with what each value and gradient is like."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from .. import tree
from ..autodiff import gradients
from ..captured import Captured, Number, TensorCell
from ..files import write_text
from ..ir.graph import Equation, Value
from ..ir.show import is_splat, splat_text
from ..ir.types import ArrayType, NumpyArray
from ..names import name_of
from ..ops.operators import lift
from ..reference import bind_inputs, steps
from ..tensor import Parameter, Tensor, unwrap
from .graph_bodies import BodyReader, first_round
from .graph_fold import Group, folded
from .graph_node import INPUT, PARAMETER, Node, formula_text, line_text
from .graph_origin import BACKWARD, FORWARD, UPDATE, Notes, Origin, noted_capture
from .html.document import Document, Section, inline
from .rules import derivative_rule
from .statistics import Statistics


@dataclass(frozen=True, eq=False)
class ProgramGraph:
    """A function's graph, to look at: in a notebook as it is, or `save` it as a page. loss: what it gave."""

    name: str
    nodes: tuple[Node, ...]
    tree: Group
    loss: float | None

    section: ClassVar[Callable[..., Section]]
    """How a page shows it: pages/graph.py puts it here."""

    @property
    def equations(self) -> int:
        """How many there are."""
        return sum(node.kind not in (INPUT, PARAMETER) for node in self.nodes)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a page that stands alone."""
        target = Path(path)
        write_text(target, Document(f"The graph of {self.name}", [self.section(title="Forward and backward")]).text())
        return target

    def _repr_html_(self) -> str:
        return inline([self.section()], f"The graph of {self.name}")

    def __repr__(self) -> str:
        return f"<graph of {self.name}: {self.equations} equations>"


def graph(function: Callable[..., Any], *args: Any, **kwargs: Any) -> ProgramGraph:
    """The forward and backward graph of `function` at these arguments.

    Modules, parameters and optimisers that the function reads are found by themselves, and nothing of them is changed.
    If the function gives a single number and takes no gradient itself, its gradients for the parameters (for the
    arguments, where there are none) are the backward graph. Raises TraceError where it can't be traced.

    >>> import chainrule as cr
    >>> graph(lambda x: (x * x).sum(), cr.tensor([1.0, 2.0]))
    <graph of <lambda>: 5 equations>
    """
    leaves, structure = tree.flatten((args, kwargs))
    arrays = {place: lift(unwrap(leaf)).data for place, leaf in enumerate(leaves) if _is_array(leaf)}
    kinds = [
        ArrayType(held.shape, held.dtype) if (held := arrays.get(n)) is not None else l for n, l in enumerate(leaves)
    ]
    trained = [isinstance(leaves[place], Parameter) for place in arrays]
    positional, named = tree.unflatten(structure, kinds)
    captured, notes = noted_capture(_with_gradients(function, trained), positional, named, function)
    inputs = [*arrays.values(), *(_contents(cell) for cell in (*captured.cells, *captured.numbers))]
    names = [*_argument_names(function, args, kwargs, arrays), *_cell_names(captured, notes)]
    return _Reader(captured, notes, names).read(name_of(function), inputs)


def _is_array(leaf: Any) -> bool:
    return isinstance(leaf, Tensor | np.ndarray | np.generic | float)


def _contents(cell: Any) -> Any:
    held = cell.read()
    return np.float64(held) if isinstance(cell, Number) else held.data


def _with_gradients(function: Callable[..., Any], trained: list[bool]) -> Callable[..., Any]:
    """The function, and after it the gradients of its result, unless it takes gradients itself."""
    from ..ir.build import current_trace

    def whole(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        trace: Any = current_trace()
        outputs = [lift(unwrap(leaf)) for leaf in tree.leaves(result)]
        if trace.notes.cotangents or not outputs or outputs[0].size != 1 or not outputs[0].tracked:
            return result
        wrt = [value for cell, value in trace.cells if isinstance(cell, TensorCell) and cell.owner.requires_grad]
        given = [unwrap(leaf) for leaf in tree.leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        wrt += [value for value, is_trained in zip(given, trained) if is_trained]
        found = gradients(outputs[:1], wrt or [value for value in given if value.type.is_float])
        return result, [value for value in found if value is not None]

    return whole


def _argument_names(function: Any, args: Any, kwargs: Any, arrays: dict[int, Any]) -> Iterator[str]:
    try:
        known = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        known = []
    for place, (path, _) in enumerate(tree.flatten_with_paths((args, kwargs))):
        if place in arrays:
            head = path[1]
            first = known[head] if isinstance(head, int) and head < len(known) else f"argument {head}"
            yield tree.path_text((first if isinstance(head, int) else head, *path[2:]))


def _cell_names(captured: Captured, notes: Notes) -> Iterator[str]:
    root = notes.root
    known = {id(each): path for path, each in [*root.named_parameters(), *root.named_buffers()]} if root else {}
    for number, cell in enumerate(captured.cells):
        owner: Any = getattr(cell, "owner", None)
        yield known.get(id(owner), f"{'gradient' if not isinstance(cell, TensorCell) else 'tensor'} {number}")
    for place in captured.numbers:
        yield place.key


class _Reader:
    """Makes nodes of the equations of a captured function while it runs once in NumPy."""

    def __init__(self, captured: Captured, notes: Notes, names: list[str]) -> None:
        self.captured, self.notes = captured, notes
        self.numbers: dict[int, int] = {}  # id of a value -> its node
        self.texts: dict[int, str] = {id(v): name for v, name in zip(captured.graph.inputs, names)}
        self.statistics: dict[int, Statistics] = {}
        self.rules: dict[Any, str] = {}

    def read(self, name: str, inputs: list[NumpyArray]) -> ProgramGraph:
        """Run, look at each value, and fold."""
        graph = self.captured.graph
        arrays = bind_inputs(graph, inputs)
        self.statistics.update((id(value), Statistics.of(arrays[id(value)])) for value in graph.inputs)
        for equation, results in steps(graph, arrays):
            self.statistics.update((id(v), Statistics.of(array)) for v, array in zip(equation.outputs, results))
            self.statistics.update(first_round(equation, arrays))
        first_reader = self._first_readers()
        nodes = [self._input(value, first_reader) for value in graph.inputs]
        for equation in graph.equations:
            node = self._equation(equation, len(nodes))
            nodes += [node, *self._bodies(equation, node, len(nodes) + 1)]
        loss = self._loss()
        return ProgramGraph(name, tuple(nodes), folded(name, self._scopes(nodes)), loss)

    def _loss(self) -> float | None:
        outputs = self.captured.graph.outputs
        found = self.statistics.get(id(outputs[0])) if outputs and outputs[0].size == 1 else None
        return None if found is None else found.mean

    def _scopes(self, nodes: list[Node]) -> Iterator[tuple[int, tuple[str, ...]]]:
        titles = {FORWARD: "forward pass", BACKWARD: "backward pass", UPDATE: "update"}
        for phase in (FORWARD, BACKWARD, UPDATE):
            for number in self._in_order(nodes):
                if nodes[number].phase == phase:
                    yield number, (titles[phase], *nodes[number].scope)

    def _in_order(self, nodes: list[Node]) -> list[int]:
        """Equations as they run, each parameter right before the first equation that reads it, arguments first."""
        place = {number: float(number) for number in range(len(nodes))}
        for node_number in range(len(nodes) - 1, -1, -1):
            for read in nodes[node_number].inputs:
                if self.captured.argument_count <= read < len(self.captured.graph.inputs):
                    place[read] = node_number - 0.5
        return sorted(place, key=place.__getitem__)

    def _first_readers(self) -> dict[int, Origin]:
        found: dict[int, Origin] = {}
        for equation in self.captured.graph.equations:
            for value in equation.inputs:
                found.setdefault(id(value), self.notes.origins[id(equation)])
        return found

    def _input(self, value: Value, first_reader: dict[int, Origin]) -> Node:
        place = self.numbers[id(value)] = len(self.numbers)
        is_argument = place < self.captured.argument_count
        reader = first_reader.get(id(value), Origin(FORWARD, ()))
        kind = PARAMETER if not is_argument and value.tracked else INPUT
        phase = FORWARD if reader.phase != UPDATE else UPDATE
        scope = () if is_argument else reader.scope
        text = self.texts[id(value)]
        statistics = self.statistics[id(value)]
        return Node(
            text, kind, phase, scope, str(value.type), "", (), (), "", "", None, statistics, self._gradient(value)
        )

    def _equation(self, equation: Equation, number: int) -> Node:
        origin = self.notes.origins[id(equation)]
        name = f"{equation.primitive.name} {number}"
        for place, value in enumerate(equation.outputs):
            self.numbers[id(value)] = number
            self.texts[id(value)] = name if len(equation.outputs) == 1 else f"{name}.{place}"
        output = equation.outputs[0]
        derived = None if origin.derives is None else self.numbers.get(id(origin.derives.outputs[0]))
        is_forward = origin.phase == FORWARD
        return Node(
            name,
            equation.primitive.name,
            origin.phase,
            origin.scope,
            ", ".join(str(value.type) for value in equation.outputs),
            formula_text(equation),
            tuple(self._text(value) for value in equation.inputs),
            tuple(dict.fromkeys(self.numbers[id(v)] for v in equation.inputs if id(v) in self.numbers)),
            self._rule(equation) if is_forward else "",
            line_text(equation.source),
            derived,
            self.statistics.get(id(output)),
            self._gradient(output) if is_forward else None,
        )

    def _bodies(self, equation: Equation, node: Node, number: int) -> list[Node]:
        """What a loop repeats or a branch chooses, in a group of its own beside the equation."""
        reader = BodyReader(self.statistics, self._rule)
        given = [self.numbers.get(id(value)) for value in equation.inputs]
        return reader.read(equation, node, given, number)

    def _text(self, value: Value) -> str:
        known = self.texts.get(id(value))
        if known is not None:
            return known
        return splat_text(value) if is_splat(value) else f"constant {value.type}"

    def _gradient(self, value: Value) -> Statistics | None:
        found = self.notes.cotangents.get(id(value))
        if found is None:
            return None
        known = self.statistics.get(id(found))
        return Statistics.of(found.data) if known is None and found.data is not None else known

    def _rule(self, equation: Equation) -> str:
        key = (equation.primitive.name, tuple(v.type for v in equation.inputs), repr(sorted(equation.params.items())))
        if key not in self.rules:
            self.rules[key] = derivative_rule(equation)
        return self.rules[key]
