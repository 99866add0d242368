"""The bodies of loops and branches in a computation graph: equations like the others, in a group of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from ..ir.graph import Equation, Graph, Value
from ..ir.show import is_splat, splat_text
from ..ir.types import NumpyArray
from ..reference import bind_inputs, steps
from .graph_node import INPUT, Node, formula_text, line_text
from .statistics import Statistics


def first_round(equation: Equation, arrays: Mapping[int, NumpyArray]) -> dict[int, Statistics]:
    """What the values in the body of a scan are like in its first round, by id; arrays: of all that is known by now."""
    if equation.primitive.name != "scan" or not equation.params["length"]:
        return {}
    body: Graph = equation.params["body"]
    first, start = equation.params["constants"] + equation.params["carry"], -1 if equation.params["reverse"] else 0
    given = [arrays.get(id(value), value.data) for value in equation.inputs]
    inputs = [each if place < first or each is None else each[start] for place, each in enumerate(given)]
    known = bind_inputs(body, inputs)
    found = {id(value): Statistics.of(known[id(value)]) for value in body.inputs}
    for inner, results in steps(body, known):
        found.update((id(value), Statistics.of(array)) for value, array in zip(inner.outputs, results))
        found.update(first_round(inner, known))
    return found


class BodyReader:
    """Makes nodes of the bodies of an equation. statistics: of values by id. rule: the derivative of an equation."""

    def __init__(self, statistics: Mapping[int, Statistics], rule: Callable[[Equation], str]) -> None:
        self.statistics, self.rule = statistics, rule

    def read(self, equation: Equation, outer: Node, given: Sequence[int | None], number: int) -> list[Node]:
        """Nodes from `number` on. given: the nodes of the equation's inputs, None for constants."""
        found: list[Node] = []
        for name, body in equation.params.items():
            if isinstance(body, Graph):
                scope = (*outer.scope, f"{outer.name}, {name}")
                found += self._body(body, outer, scope, given, number + len(found))
        return found

    def _body(
        self, body: Graph, outer: Node, scope: tuple[str, ...], given: Sequence[int | None], number: int
    ) -> list[Node]:
        numbers: dict[int, int] = {}
        texts: dict[int, str] = {}
        nodes = list(self._inputs(body, outer, scope, given, number, numbers, texts))
        for equation in body.equations:
            here = number + len(nodes)
            node = self._equation(equation, outer, scope, here, numbers, texts)
            nodes.append(node)
            inner = [numbers.get(id(value)) for value in equation.inputs]
            nodes += self.read(equation, node, inner, here + 1)
        return nodes

    def _inputs(
        self,
        body: Graph,
        outer: Node,
        scope: tuple[str, ...],
        given: Sequence[int | None],
        number: int,
        numbers: dict[int, int],
        texts: dict[int, str],
    ) -> Iterator[Node]:
        skipped = max(0, len(given) - len(body.inputs))  # a branch has its predicate first
        for place, value in enumerate(body.inputs):
            numbers[id(value)], texts[id(value)] = number + place, f"input {place} of {outer.name}"
            source = given[place + skipped] if place + skipped < len(given) else None
            inputs = () if source is None else (source,)
            known = self.statistics.get(id(value))
            text, kind = texts[id(value)], str(value.type)
            yield Node(text, INPUT, outer.phase, scope, kind, "", (), inputs, "", "", outer.derives, known, None)

    def _equation(
        self,
        equation: Equation,
        outer: Node,
        scope: tuple[str, ...],
        number: int,
        numbers: dict[int, int],
        texts: dict[int, str],
    ) -> Node:
        name = f"{equation.primitive.name} {number}"
        for place, value in enumerate(equation.outputs):
            numbers[id(value)] = number
            texts[id(value)] = name if len(equation.outputs) == 1 else f"{name}.{place}"
        return Node(
            name,
            equation.primitive.name,
            outer.phase,
            scope,
            ", ".join(str(value.type) for value in equation.outputs),
            formula_text(equation),
            tuple(_text(value, texts) for value in equation.inputs),
            tuple(dict.fromkeys(numbers[id(v)] for v in equation.inputs if id(v) in numbers)),
            self.rule(equation) if outer.phase == "forward" else "",
            line_text(equation.source),
            outer.derives,
            self.statistics.get(id(equation.outputs[0])),
            None,
        )


def _text(value: Value, texts: Mapping[int, str]) -> str:
    known = texts.get(id(value))
    if known is not None:
        return known
    return splat_text(value) if is_splat(value) else f"constant {value.type}"
