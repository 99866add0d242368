"""A step that changes tensors, repeated for each slice of arrays: in a captured function one loop for all of them.

`scan` takes functions that change nothing outside. Here what a step assigns to (running statistics, the state of random
numbers) and the gradients that it adds up are found by tracing it, and carried from one round of the loop to the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from . import tree
from .closure import BodyTrace
from .errors import ChainruleError
from .ir.build import adopted, is_recording, recording, splat, tracing
from .ir.check import check_graph
from .ir.graph import Graph, Value
from .names import name_of
from .ops import control
from .ops.arrays import reshape
from .ops.operators import lift
from .records import dataclass
from .references import NOBODY, counted
from .tensor import Tensor, unwrap, wrap
from .tensor.contents import Content, kept_here


class UnrepeatableError(ChainruleError):
    """A step can't be a round of a loop: it must be written down for each slice."""


@dataclass(frozen=True)
class Carried:
    """What a round changes: `start` before the first, `stand_in` at the start of any, `end` after it."""

    owner: Tensor
    is_gradient: bool
    start: Value
    stand_in: Value
    end: Value

    def change(self, contents: Value) -> None:
        """Give it what the last round left."""
        if self.is_gradient:
            self.owner.grad = wrap(reshape(contents, self.owner.shape))
        else:
            self.owner.assign(wrap(contents))


class StepTrace(BodyTrace):
    """The trace of one round, which may assign to tensors from outside and add to gradients."""

    def __init__(self, inputs: list[Value]) -> None:
        super().__init__("a loop over parts", inputs)
        self.cells: dict[int, tuple[Tensor, Value]] = {}  # id of a tensor -> it, and its contents before
        self.gradients: dict[int, tuple[Tensor, Tensor | None]] = {}  # and its gradient before
        self.made: dict[int, tuple[Tensor, Value]] = {}  # those that the round makes and writes, as `cells`

    def _stand_in(self, value: Value) -> Value:
        """What each round makes anew begins as a constant."""
        owner = value.owner() if isinstance(value, Content) and value.data is not None else None
        return value if owner is not None and self._is_made(owner) else super()._stand_in(value)

    def _placeholder_for(self, outer: Value) -> Value:
        if not isinstance(outer, Content):
            if outer.tracked and outer.equation is not None:
                raise UnrepeatableError("gradients would go on to what is computed before the loop")
            return Value(outer.type, source=outer.source)
        content = Content(outer.type, None, tracked=outer.tracked, source=outer.source)
        content.owner = outer.owner
        return content

    # -- what tensors tell: see Watcher

    def will_replace(self, owner: Tensor) -> None:
        """A tensor is about to get what an operation made of it; what was computed here is no cell."""
        if isinstance(owner._value, Content) or owner._value.data is not None:
            self.will_write(owner)

    def will_write(self, owner: Tensor) -> None:
        """A tensor is about to get new contents."""
        if self._is_made(owner):
            self.made.setdefault(id(owner), (owner, owner._value))
        if id(owner) in self.cells or self._is_local(owner):
            return
        self._stand_in(owner._value)  # from now on a cell of the capture, if it wasn't one
        if id(owner._value) not in self.foreign:
            raise UnrepeatableError("a tensor that was no cell before is written")
        self.cells[id(owner)] = (owner, owner._value)

    def will_change_gradient(self, owner: Tensor) -> None:
        """The gradient of a tensor is about to be replaced."""
        self.gradient(owner)

    def gradient(self, owner: Tensor) -> Tensor | None:
        """The gradient of a tensor, of this round alone: what the rounds before found is added in the end."""
        if id(owner) not in self.gradients and not self._is_local(owner):
            if is_recording():
                raise UnrepeatableError("a gradient is read before it is complete")
            with tracing(self.parent):
                self.gradients[id(owner)] = (owner, owner.grad)
            owner._grad = None
        return owner._grad

    def _is_local(self, owner: Tensor) -> bool:
        """Whether a tensor was made in this round."""
        return self._is_made(owner) or (id(owner) not in self.cells and self._is_own(owner._value))

    # -- the end

    def carried(self) -> list[Carried]:
        """Everything that was changed."""
        if self._is_made_to_stay():
            raise UnrepeatableError("a tensor is made that stays")
        found = []
        for owner, start in self.cells.values():
            found.append(Carried(owner, False, start, self.foreign[id(start)][1], adopted(owner._value)))
        found += [self._summed(owner, before) for owner, before in self.gradients.values()]
        if any(each.end.type != each.stand_in.type for each in found):
            raise UnrepeatableError("a tensor or gradient gets another shape or element type")
        return found

    def _is_made_to_stay(self) -> bool:
        """Whether anyone holds a tensor that the round made and wrote: its next contents would be lost."""
        counts = counted([owner for owner, _ in self.made.values()])
        kept = Counter(kept_here())
        return any(count > NOBODY + 1 + kept[key] for key, count in zip(self.made, counts))

    def _summed(self, owner: Tensor, before: Tensor | None) -> Carried:
        """A gradient, added up. With one more axis: of a sum of plain products the compiler would make one product of
        all rounds, for which it would keep the factors of all, which is what the loop is there to avoid."""
        if owner._grad is None:
            raise UnrepeatableError("a gradient is forgotten")
        part = owner._grad._value
        shape = (1, *part.shape)
        stand_in = Value(part.type.with_shape(shape))
        self._own.add(id(stand_in))
        with tracing(self.parent), recording(False):
            if before is not None and before._value.type != part.type:
                raise UnrepeatableError("a gradient from before has another shape or element type")
            start = splat(-0.0, stand_in.type) if before is None else reshape(before._value, shape)  # -0.0 + x is x
        with recording(False):
            return Carried(owner, True, start, stand_in, stand_in + reshape(part, shape))

    def restore(self) -> None:
        """Every tensor as it was before."""
        for owner, contents in (*self.cells.values(), *self.made.values()):
            owner._value = contents
        for owner, gradient in self.gradients.values():
            owner._grad = gradient


def repeated(function: Callable[..., Any], xs: Any, guard: AbstractContextManager[None] | None = None) -> Any:
    """`function` of each slice of `xs` along the first axis, one after the other; what it gives, stacked.

    It may assign to tensors and call `backward`. Only in a captured function, of which it becomes one loop. Raises
    UnrepeatableError where its rounds are not alike. guard: around the trace of a round.
    """
    leaves, structure = tree.flatten(xs)
    values = [adopted(lift(unwrap(leaf))) for leaf in leaves]
    inputs = [Value(control.element_of(value.type)) for value in values]
    trace = StepTrace(inputs)
    try:
        with tracing(trace), recording(True), guard or nullcontext():
            found, result_structure = tree.flatten(function(*tree.unflatten(structure, map(wrap, inputs))))
            outputs = [adopted(lift(unwrap(each))) for each in found]
            carried = trace.carried()
    finally:
        trace.restore()
    stand_ins = {id(each.stand_in) for each in carried}
    constants = [pair for pair in trace.foreign.values() if id(pair[1]) not in stand_ins]
    body = Graph(
        (*(stand_in for _, stand_in in constants), *(each.stand_in for each in carried), *inputs),
        tuple(trace.equations),
        (*(each.end for each in carried), *outputs),
        name_of(function),
    )
    check_graph(body, "tracing a loop over parts")
    arguments = [*(outer for outer, _ in constants), *(each.start for each in carried), *values]
    with recording(False):
        results = control.scanned(body, arguments, len(constants), len(carried), values[0].shape[0], False)
    for each, contents in zip(carried, results):
        each.change(contents)
    return tree.unflatten(result_structure, map(wrap, results[len(carried) :]))
