"""The trace of a captured function: what it reads and writes outside itself, and what it is made for."""

from __future__ import annotations

import itertools
import weakref
from collections import Counter
from collections.abc import Iterable
from typing import Any

from .around import Around
from .captured import ARGUMENT_CHANGED, LOOKED_AT, Captured, Cell, GradientCell, Guard, Number, TensorCell
from .closure import content_written
from .errors import TraceError
from .ir.build import Trace, placeholder
from .ir.graph import Value
from .ir.types import ArrayType, float64
from .ir.walk import ancestors
from .references import NOBODY, counted
from .tensor import Moment, Parameter, Tensor, wrap
from .tensor.contents import Content, kept_here, made_here, read_here

TRACED_TWICE = "it makes a tensor when it is missing, for which it is traced twice: make that tensor before"
LOST = (
    "the function makes a tensor {kind} that it keeps and writes to it at once, as a new layer does, which a compiled "
    "function can't: only a trace makes it. Make it before the first call, such as by one call without cr.compile"
)
OPTION_CHANGED = (
    "the option {key!r} is changed behind its use by an optimiser, which a compiled function can't: it reads such "
    "options as each call begins. Change it after the call"
)


class Capture(Trace):
    """The trace of a function whose cells become placeholders."""

    watches = True
    is_again = False  # whether the function was traced before, so that what it makes only once is there already

    def __init__(self) -> None:
        super().__init__()
        self.stands_for: dict[int, Value] = {}  # id of a concrete value -> its placeholder
        self.cells: list[tuple[Cell, Value]] = []
        self.numbers: dict[tuple[int, str, int | None], tuple[Number, Value]] = {}
        self._options_then: list[tuple[Number, float]] = []
        self.tensors: dict[int, tuple[Tensor, Value]] = {}  # id of a tensor -> it, and its contents before
        self.gradients: dict[int, tuple[Tensor, Tensor | None]] = {}
        self.assigned: dict[int, Tensor] = {}
        self.guards: dict[Any, Guard] = {}
        self.kept: list[Value] = []  # so that no id is used twice
        self.shared: set[int] = set()
        self.around = Around()
        self.known: Captured | None = None  # its program, to compare this one with
        self.fresh: list[weakref.ref[Tensor]] = []  # that the trace before this one made and wrote
        self.arguments: set[int] = set()  # ids of the tensors that stand for arrays among the arguments
        self.asked: set[int] = set()  # ids of the equations that made what cr.grad and its like are asked about

    def empty(self) -> Capture:
        """Another of its kind."""
        return type(self)()

    def again(self) -> Capture:
        """A capture like this one at its start, of a function that has been traced."""
        following = self.anew(self.known)
        following.is_again, following.fresh = True, self.fresh
        return following

    def anew(self, known: Captured | None) -> Capture:
        """A capture like this one at its start, of the next run. known: the program of this one."""
        following = self.empty()
        following.known, following.around.before = known, self.around
        return following

    # -- what Trace asks

    def adopt(self, inputs: tuple[Value, ...]) -> tuple[Value, ...]:
        """Placeholders for the contents of tensors."""
        return tuple([self._stand_in(value) if value.data is not None else value for value in inputs])

    def _stand_in(self, value: Value) -> Value:
        known = self.stands_for.get(id(value))
        if known is not None:
            return known
        if not isinstance(value, Content):
            return value
        owner = value.owner()
        if owner is None or self._before(owner) is not value:  # what it once held, or was given here, is a constant
            return value
        return self._new_cell(owner, value)

    def _before(self, owner: Tensor) -> Value:
        """What a tensor held when the trace first met it."""
        known = self.tensors.get(id(owner))
        return owner._value if known is None else known[1]

    def _new_cell(self, owner: Tensor, contents: Value) -> Value:
        content = Content(contents.type, None, tracked=contents.tracked, source=contents.source)
        content.owner = weakref.ref(owner)
        self.cells.append((TensorCell(owner), content))
        self._remember(contents, content)
        if contents.tracked or isinstance(owner, Parameter):
            name = "whether a tensor requires a gradient"
            self.guards.setdefault(("tracked", id(owner)), Guard(name, owner, "requires_grad", contents.tracked))
        self.tensors.setdefault(id(owner), (owner, contents))
        if owner._value is contents:
            owner._value = content
        return content

    def _remember(self, concrete: Value, stand_in: Value) -> None:
        self.kept.append(concrete)
        self.stands_for[id(concrete)] = stand_in

    # -- what tensors tell

    def will_replace(self, owner: Tensor) -> None:
        """A tensor is about to get what an operation made of it; if it was there before its contents go out."""
        if isinstance(owner._value, Content) or owner._value.data is not None or id(owner) in self.arguments:
            self.will_write(owner)

    def will_write(self, owner: Tensor) -> None:
        """A tensor is about to get new contents."""
        if id(owner) in self.arguments:
            raise TraceError(ARGUMENT_CHANGED)
        self.tensors.setdefault(id(owner), (owner, owner._value))
        self.assigned[id(owner)] = owner

    def written(self, contents: Value, before: Value) -> Content:
        """The new contents as a value that gradients may be taken with respect to."""
        return content_written(contents, before)

    def will_change_gradient(self, owner: Tensor) -> None:
        """The gradient of a tensor is about to be replaced."""
        if id(owner) not in self.gradients:
            found = owner._grad
            self.gradients[id(owner)] = (owner, found)
            owner._grad = found  # whatever other threads do to it meanwhile

    def gradient(self, owner: Tensor) -> Tensor | None:
        """The gradient of a tensor; one from before the capture becomes a cell."""
        found = owner._grad
        if id(owner) in self.gradients:
            return found
        self.will_change_gradient(owner)
        name = "whether a gradient was there"
        self.guards.setdefault(("gradient", id(owner)), Guard(name, owner, "_grad", found is not None, presence=True))
        if found is not None and found._value.data is not None:
            stand_in = Value(found._value.type)
            self.cells.append((GradientCell(owner), stand_in))
            self._remember(found._value, stand_in)
            owner._grad = wrap(stand_in)
        return owner._grad

    def looked_at(self, owner: Tensor, what: str) -> None:
        """The elements of a tensor are read while tracing: refused for parameters, guarded for others."""
        if isinstance(owner, Parameter):
            raise TraceError(LOOKED_AT.format(what=what, kind="parameter"))
        guard = Guard("the elements of a tensor", owner, "_value", owner._value)
        self.guards.setdefault(("tensor", id(owner)), guard)

    def is_trained(self, value: Value) -> bool:
        """Whether something that requires a gradient led to a tracked value: plain inputs require none."""
        if value.equation is None or isinstance(value, Content):
            return isinstance(value, Content)
        return any(
            id(equation) in self.asked or any(each.tracked and _requires(each) for each in equation.inputs)
            for equation in ancestors([value])
        )

    # -- what optimisers and modules tell

    def number(self, container: dict[str, Any], key: str, index: int | None = None) -> Tensor:
        """An option as an input of the graph."""
        known = self.numbers.get((id(container), key, index))
        if known is None:
            known = (Number(container, key, index), placeholder(ArrayType((), float64)))
            self._options_then.append((known[0], known[0].read()))
            self.numbers[id(container), key, index] = known
        return wrap(known[1])  # type: ignore[no-any-return]

    def option(self, container: dict[str, Any], key: str) -> None:
        """An option that the trace is made for."""
        guard = Guard(f"the option {key!r}", container, key, container[key])
        self.guards.setdefault(("option", id(container), key), guard)

    def mode(self, module: Any) -> None:
        """Whether a module trains."""
        guard = Guard("training or evaluation mode", module, "training", module.training)
        self.guards.setdefault(("mode", id(module)), guard)

    def parts(self, module: Any, modules: type) -> None:
        """What a module is made of."""
        self.around.module(module, modules)

    def listed(self, module: Any, modules: type) -> None:
        """What a module is made of is asked for, without a call of it."""
        self.around.listed(module, modules)

    # -- the end

    def end(self) -> bool:
        """Settle what tensors made inside are; whether to trace once more, as some would be cells then.

        What nobody else holds is made anew by each call: it begins as a constant. What is held outside may be made once
        (state that is made when it is missing) or by each call: who traces again will find it there, or make it again.
        """
        self.shared, made = self._shared(), made_here()
        self.around.settle(self._has_read, made)
        self._require_options_kept()
        written = [owner for key, owner in self.assigned.items() if key in self.shared]
        constants = [owner for owner in written if _is_constant(self.tensors[id(owner)][1])]
        fresh = [owner for owner in written if id(owner) in made and not isinstance(owner, Moment)]
        if self.is_again:
            self.around.require_no_more_parts()
            self._require_nothing_lost()
        elif constants or fresh or not self.around.parts_hold:
            for owner in constants:  # as cells their contents are read anew at each run
                if (elements := owner._own_value.data) is not None:
                    owner._own_value = owner._content(elements, requires_grad=False)
            self.around.require_undoable(TRACED_TWICE)
            self.around.undo(made)
            self.fresh = list(map(weakref.ref, fresh))
            return True
        self._make_constant((made - self.shared) | set(map(id, fresh)))
        self._guard_constants()
        return False

    def _guard_constants(self) -> None:
        """What operations outside gave is part of the program as long as nobody changes the tensor that holds it."""
        for owner, value in read_here():
            if id(value) not in self.stands_for and id(owner) not in self.assigned:
                guard = Guard("what a tensor holds", owner, "_own_value", value)
                self.guards.setdefault(("constant", id(owner)), guard)

    def _require_options_kept(self) -> None:
        for number, then in self._options_then:
            if number.read() != then:
                raise TraceError(OPTION_CHANGED.format(key=number.key))

    def _require_nothing_lost(self) -> None:
        """What the first trace wrote to what it made, and this one only reads, is written by no run."""
        for owner in [reference() for reference in self.fresh]:
            if owner is not None and id(owner) not in self.assigned and self._has_read(owner):
                raise TraceError(LOST.format(kind=owner._own_value.type))

    def _has_read(self, owner: Tensor) -> bool:
        contents = owner._own_value
        return id(owner) in self.tensors or any(
            value is contents for equation in self.equations for value in equation.inputs
        )

    def _shared(self) -> set[int]:
        """Ids of the tensors that someone other than the capture holds."""
        owners = [owner for owner, _ in {**self.tensors, **self.gradients}.values()]
        kept: Iterable[Any] = itertools.chain(
            (owner for owner, _ in itertools.chain(self.tensors.values(), self.gradients.values())),
            self.assigned.values(),
            (cell.owner for cell, _ in self.cells),
            (guard.where for guard in self.guards.values()),
        )
        own = Counter(map(id, kept)) + Counter(kept_here())
        held = {id(owner) for owner, count in zip(owners, counted(owners)) if count > NOBODY + own[id(owner)]}
        return held - self.arguments

    def _make_constant(self, owners: set[int]) -> None:
        """The cells of these tensors are none: their placeholders become constants."""
        contents = {id(self.stands_for[id(value)]): value.data for value in self.kept if id(value) in self.stands_for}
        for cell, stand_in in self.cells:
            if id(cell.owner) in owners:
                stand_in.data = contents[id(stand_in)]
        self.cells = [(cell, stand_in) for cell, stand_in in self.cells if stand_in.data is None]
        gone = owners - self.shared
        self.guards = {key: guard for key, guard in self.guards.items() if id(guard.where) not in gone}

    def outputs(self) -> tuple[list[Cell], list[Value], list[Tensor]]:
        """Cells written, their new contents, and tensors whose gradient is forgotten."""
        cells: list[Cell] = []
        values: list[Value] = []
        cleared = []
        for owner in self.assigned.values():
            if id(owner) in self.shared:
                cells.append(TensorCell(owner))
                values.append(owner._value)
        for owner, before in self.gradients.values():
            now = owner._grad
            if id(owner) not in self.shared:
                continue
            if now is None:
                cleared.append(owner)
            elif before is None or now._value is not self.stands_for.get(id(before._value)):
                cells.append(GradientCell(owner))
                values.append(now._value)
        return cells, values, cleared


def _requires(value: Value) -> bool:
    return isinstance(value, Content) or (value.is_leaf and value.data is not None)


def _is_constant(value: Value) -> bool:
    return value.data is not None and not isinstance(value, Content)
