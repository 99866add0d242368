"""How passes change a graph: its equations are walked in order, and those that change are written anew.

An equation that reads nothing new is kept as it is, so a pass costs little where it finds nothing to do, and a pass
that changed nothing returns the very graph that it was given.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..ir.graph import Equation, Graph, Value
from ..ir.primitive import Primitive
from ..ir.show import is_splat
from ..ir.types import ArrayType
from ..ops import elementwise

Inputs = tuple[Value, ...]
Rule = Callable[["Rewriter", Equation, Inputs], Value | Sequence[Value] | None]
"""What an equation with these (new) inputs can be replaced by; None where the rule does not apply."""

ELEMENTWISE: frozenset[Primitive] = frozenset(
    each for each in vars(elementwise).values() if isinstance(each, Primitive)
)
"""Primitives whose inputs have one shape, and whose element i depends on the elements i of the inputs."""


class Rewriter:
    """A graph being written from another one."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.equations: list[Equation] = []
        self._new: dict[int, Value] = {}
        self._inputs = {id(value) for value in graph.inputs}
        self._reading: Equation | None = None

    # -- writing

    def now(self, value: Value) -> Value:
        """What stands for a value of the old graph in the new one."""
        return self._new.get(id(value), value)

    def inputs_of(self, equation: Equation) -> Inputs:
        """What `equation` reads in the new graph."""
        self._reading = equation
        new = self._new
        if not new or new.keys().isdisjoint(map(id, equation.inputs)):
            return equation.inputs
        return tuple([new.get(id(value), value) for value in equation.inputs])

    def keep(self, equation: Equation, inputs: Inputs) -> None:
        """Write `equation` with `inputs`: itself, where it reads the same values as before."""
        if inputs is equation.inputs or all(map(operator.is_, inputs, equation.inputs)):
            self.equations.append(equation)
            return
        self.rewrite(equation, Equation(equation.primitive, inputs, equation.params, equation.source))

    def rewrite(self, equation: Equation, copy: Equation) -> None:
        """Write `copy`, whose results are of the same types, in place of `equation`."""
        self.equations.append(copy)
        self.replace(equation, copy.produce([value.type for value in equation.outputs], tracked=False))

    def replace(self, equation: Equation, values: Sequence[Value]) -> None:
        """Let all that reads the outputs of `equation` read `values` instead."""
        for old, new in zip(equation.outputs, values, strict=True):
            self._new[id(old)] = new

    def emit(self, primitive: Primitive, *inputs: Value, **params: Any) -> Value:
        """Write an equation that was not there, with the source line of the one being read."""
        kind: ArrayType = primitive.type_rule(*[value.type for value in inputs], **params)
        equation = Equation(primitive, inputs, params, self._reading.source if self._reading else None)
        self.equations.append(equation)
        return equation.produce((kind,), tracked=False)[0]

    def use(self, old: Value, new: Value) -> None:
        """Let all that reads the constant `old` read `new` instead."""
        self._new[id(old)] = new

    def finish(self) -> Graph:
        """The new graph, or the old one itself where nothing changed."""
        old = self.graph
        outputs = tuple(self._new.get(id(value), value) for value in old.outputs)
        if not self._new and len(self.equations) == len(old.equations):
            return old
        return Graph(old.inputs, tuple(self.equations), outputs, old.name)

    # -- looking

    def is_constant(self, value: Value) -> bool:
        """Whether the elements of `value` are known (an input may carry data too: what it was when traced)."""
        return value.data is not None and id(value) not in self._inputs

    def number(self, value: Value) -> Any:
        """The number that all elements of a constant are, as a NumPy scalar; None for anything else."""
        if value.data is None or not is_splat(value) or id(value) in self._inputs:
            return None
        return value.data[(0,) * value.data.ndim]

    def origin(self, value: Value, primitive: Primitive) -> Equation | None:
        """The equation of the graph that computes `value`, if it applies `primitive`."""
        equation = value.equation
        if equation is None or equation.primitive is not primitive or value.data is not None:
            return None
        return None if id(value) in self._inputs else equation


def apply_rules(graph: Graph, rules: Mapping[Primitive, Sequence[Rule]]) -> Graph:
    """`graph` with each equation replaced by what the first rule for its primitive that applies gives."""
    rewriter = Rewriter(graph)
    for equation in graph.equations:
        inputs = rewriter.inputs_of(equation)
        own = rules.get(equation.primitive)
        found = _first(rewriter, equation, inputs, own) if own else None
        if found is None:
            rewriter.keep(equation, inputs)
        else:
            rewriter.replace(equation, (found,) if isinstance(found, Value) else found)
    return rewriter.finish()


def _first(
    rewriter: Rewriter, equation: Equation, inputs: Inputs, rules: Sequence[Rule]
) -> Value | Sequence[Value] | None:
    for rule in rules:
        found = rule(rewriter, equation, inputs)
        if found is not None:
            return found
    return None


def full(number: Any, kind: ArrayType) -> Value:
    """A constant of type `kind` whose elements are all `number`: one number in memory, to the bit."""
    return Value(kind, np.broadcast_to(np.asarray(number, kind.dtype), kind.shape))
