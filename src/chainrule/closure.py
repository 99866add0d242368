"""Closure conversion: the function given to a loop or branch as a graph that reads nothing but its inputs.

The function is traced on placeholders. What it reads from around it (parameters, values of the function being traced or
differentiated) gets placeholders too, which become inputs of the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from . import tree
from .errors import TraceError
from .ir.build import Trace, adopted, bind, current_trace, placeholder, recording, tracing
from .ir.check import check_graph
from .ir.graph import Graph, Value
from .ir.types import ArrayType
from .names import name_of
from .ops import elementwise as ew
from .ops.operators import lift
from .ops.pullback import sealed
from .tensor import Tensor, wrap
from .tensor.contents import Content, apart, made_here
from .trace import result_value

Function = Callable[..., Any]

WRITTEN = (
    "{what} from outside is changed inside a function given to {loop}: it is traced once and then repeated, so it can "
    "change nothing outside. Carry the tensor along and return its new contents; random numbers (dropout too) are "
    "drawn before the loop, for all its steps"
)


class BodyTrace(Trace):
    """The trace of the body of a loop or branch: values from outside become placeholders, listed in `foreign`.

    Tensors that the body is given or makes are its own: it may change them in place.
    """

    watches = True

    def __init__(self, name: str, inputs: Sequence[Value]) -> None:
        super().__init__()
        self.name = name
        self.parent = current_trace()
        self.foreign: dict[int, tuple[Value, Value]] = {}  # id of an outer value -> it, and its placeholder
        self._own = {id(value) for value in inputs}
        self._seen = 0
        self._kept: list[Value] = []  # so that no id is used twice
        self._made_before = set(made_here())
        self.changed: list[Tensor] = []  # of its own, in place

    def adopt(self, inputs: tuple[Value, ...]) -> tuple[Value, ...]:
        """Placeholders for the values of the traces around this one, and for tracked tensors."""
        return tuple([self._stand_in(value) for value in inputs])

    def _stand_in(self, value: Value) -> Value:
        if self._is_own(value):
            return value
        outer = value if self.parent is None else self.parent.adopt((value,))[0]
        if outer.data is not None and not outer.tracked:
            return outer
        if id(outer) not in self.foreign:
            self._kept.append(outer)
            stand_in = self._placeholder_for(outer)
            self.foreign[id(outer)] = (outer, stand_in)
            self._own.add(id(stand_in))
        return self.foreign[id(outer)][1]

    def _placeholder_for(self, outer: Value) -> Value:
        if not isinstance(outer, Content):
            return placeholder(outer.type)
        content = Content(outer.type, None, tracked=outer.type.is_float, source=outer.source)
        content.owner = outer.owner
        return content

    def _is_own(self, value: Value) -> bool:
        for equation in self.equations[self._seen :]:
            self._own.update(map(id, equation.outputs))
        self._seen = len(self.equations)
        return id(value) in self._own

    def _is_made(self, owner: Tensor) -> bool:
        """Whether a tensor was made here."""
        return id(owner) in made_here() and id(owner) not in self._made_before

    # -- what tensors tell: see Watcher

    def will_replace(self, owner: Tensor) -> None:
        """A tensor is about to get what an operation made of it."""
        self.will_write(owner)

    def will_write(self, owner: Tensor) -> None:
        """A tensor is about to get new contents."""
        self._change(owner, "a tensor")

    def written(self, contents: Value, before: Value) -> Content:
        """The new contents of a tensor."""
        return content_written(contents, before)

    def will_change_gradient(self, owner: Tensor) -> None:
        """The gradient of a tensor is about to be replaced."""
        self._change(owner, "the gradient of a tensor (backward() or zero_grad() was called)")

    def _change(self, owner: Tensor, what: str) -> None:
        if not self._is_made(owner):
            raise TraceError(WRITTEN.format(what=what, loop=self.name))
        self.changed.append(owner)

    def gradient(self, owner: Tensor) -> Tensor | None:
        """The gradient of a tensor."""
        if self._is_made(owner):
            return owner._grad
        with tracing(self.parent):
            return owner.grad

    def is_trained(self, value: Value) -> bool:
        """Whether something that requires a gradient led to a tracked value: all that is given to a body may."""
        return True

    def settle(self) -> None:
        """At the end: a tensor of its own that someone keeps holds a traced value, which tells who reads it later."""
        for owner in self.changed:
            owner._own_value, owner._own_grad = owner._value, owner._grad

    def looked_at(self, owner: Tensor, what: str) -> None:
        """The elements of a tensor are read while tracing."""
        if getattr(self.parent, "watches", False):
            self.parent.looked_at(owner, what)  # type: ignore[union-attr]


def content_written(contents: Value, before: Value) -> Content:
    """What is written to a tensor in a trace, as a value that gradients may be taken with respect to."""
    result = bind(ew.stop_gradient, contents)
    if result.data is not None:  # a constant: it still takes the place of what was there
        return Content(result.type, result.data, tracked=before.tracked)
    content = Content(result.type, None, result.equation, 0, before.tracked, result.source)
    result.equation._outputs = (content,)
    return content


class Body:
    """A function traced on placeholders: its graph but for the inputs that stand for values from outside."""

    def __init__(self, name: str, function: Function, kinds: Sequence[ArrayType], call: Callable[..., Any]) -> None:
        """call: takes the placeholders as tensors, and gives the result of the function as a tree."""
        self.name = name_of(function)
        self.inputs = [placeholder(kind) for kind in kinds]
        self.trace = BodyTrace(name, self.inputs)
        with apart(), tracing(self.trace), recording(True):
            leaves, self.structure = tree.flatten(call([wrap(value) for value in self.inputs]))
            self.outputs = [adopted(result_value(leaf, f"a function given to {name}")) for leaf in leaves]
            self.trace.settle()
            self.numbers = {place: leaf for place, leaf in enumerate(leaves) if type(leaf) in (int, float)}

    def retype(self, kinds: Sequence[ArrayType]) -> None:
        """Python numbers among the first outputs take the element types expected there, where these can hold them."""
        for place, kind in enumerate(kinds):
            if place in self.numbers and kind.shape == ():
                self.outputs[place] = lift(self.numbers[place], kind.dtype)


def closed(bodies: Sequence[Body]) -> tuple[list[Value], list[Graph]]:
    """(values from outside, graphs): the graphs take the values from outside first, all the same ones."""
    foreign = {key: outer for body in bodies for key, (outer, _) in body.trace.foreign.items()}
    graphs = []
    for body in bodies:
        known = body.trace.foreign
        stand_ins = [known[key][1] if key in known else placeholder(outer.type) for key, outer in foreign.items()]
        inputs = (*stand_ins, *body.inputs)
        graph = Graph(inputs, tuple(body.trace.equations), tuple(body.outputs), body.name)
        graphs.append(sealed(check_graph(graph, f"tracing {body.trace.name}")))
    return list(foreign.values()), graphs
