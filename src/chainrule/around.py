"""What lies around a function that is traced: remembered as it was, and put back where the trace was for no run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from .captured_module import CHANGES, ModuleGuard
from .errors import TraceError
from .surroundings.changed import change_name, put_back, settled
from .surroundings.kept import refuse_kept
from .surroundings.place import Place
from .surroundings.places import Places
from .surroundings.walk import Walk
from .tensor import Tensor
from .tensor.contents import made_here

NOT_PUT_BACK = (
    "the function changes {what}, which can't be put back, as it may have to be, because {why}. Draw before, and "
    "give what was drawn as an argument"
)
MORE_PARTS = (
    "the function puts one more module or parameter ({part!r}) into {kind} at each call, which a compiled function "
    "can't: its program has the parts that it was traced with. Build the model before the first call"
)
ONE_LOOP = "the parts of a batch are one loop"


class Around:
    """The places around a function that its code reads, and the modules that it calls."""

    def __init__(self) -> None:
        self._walk = Walk()
        self._modules: dict[int, ModuleGuard] = {}
        self._called: set[int] = set()
        self.names: frozenset[str] = frozenset()  # of attributes that the code of the function reads
        self.undone: str | None = None  # why what the function changes may have to be put back
        self.before: Around | None = None  # of an earlier trace, to be put back too
        self.places = Places(())
        self.changed: list[str] = []  # names of what the function itself changes

    def start(self, function: Callable[..., Any], positional: Sequence[Any], named: Mapping[str, Any]) -> None:
        """A function is about to be called."""
        self._walk.start(function, positional, named)
        self.require_undoable()

    def module(self, module: Any, modules: type) -> None:
        """A module is about to be called. modules: the class of all of them."""
        if id(module) not in self._called:
            self._called.add(id(module))
            self.listed(module, modules)
            self._modules[id(module)].guard_attributes(self.names)
            self._walk.module(module)
            self.require_undoable()

    def listed(self, module: Any, modules: type) -> None:
        """The parts of a module are asked for, which need not be called: what a `ModuleList` holds."""
        if id(module) not in self._modules:
            self._modules[id(module)] = ModuleGuard(module, modules)

    def require_undoable(self, why: str | None = None) -> None:
        """Raises TraceError where the function draws from what can't be put back, but may have to be. why: it must."""
        found = self._walk.found.irrevocable
        if found and (why or self.undone):
            raise TraceError(NOT_PUT_BACK.format(what=found[0], why=why or self.undone))

    @property
    def modules(self) -> tuple[ModuleGuard, ...]:
        """The guards of those that were called, or whose parts were listed."""
        return tuple(self._modules.values())

    @property
    def parts_hold(self) -> bool:
        """Whether these consist of the same parts as before."""
        return all(guard.parts_hold for guard in self.modules)

    def require_no_more_parts(self) -> None:
        """Raises TraceError where this trace, which is not the first, has put one more part into a module."""
        for guard in self.modules:
            if new := guard.new_parts:
                raise TraceError(MORE_PARTS.format(part=new[0], kind=type(guard.where).__name__))

    def settle(self, has_read: Callable[[Tensor], bool], made: Collection[int]) -> None:
        """At the end of the trace: which places are as they were, and which the function changed. See `settled`."""
        refuse_kept(self._walk.caches, made)
        for guard in self.modules:
            guard.settle(self._names_of(guard), has_read, made)
        found = settled(self._walk.found.are_read, has_read, made)
        self.places = Places(found.holding)
        changed = (name for guard in self.modules for name in guard.changed)
        self.changed = [*map(change_name, found.changed), *changed]

    def _names_of(self, guard: ModuleGuard) -> set[str]:
        return self._walk.found.attributes_of(guard.where)

    def undo(self, made: Collection[int] | None = None) -> None:
        """Put everything back. made: ids of tensors that the trace made, which stay where it put them."""
        put_back(self._walk.found.only_added_to)
        new = [place for guard in self.modules for place in guard.new_places()] if made is None else []
        put_back([*new, *self._every()], made)
        CHANGES[0] += 1
        if self.before is not None:
            self.before.undo(made)

    @contextmanager
    def changing_nothing(self, error: Exception) -> Iterator[None]:
        """Around a trace of what is then repeated, as one loop: raises `error` where each round would change something.

        Then everything is as it was before, and where the block raises something.
        """
        if self._walk.found.irrevocable:
            raise error
        before, undone = {each.known_by: each.renewed() for each in self._every()}, self.undone
        self.undone = undone or ONE_LOOP
        try:
            yield
            if settled(self._since(before), lambda _: False, made_here()).changed:
                raise error
        except Exception:
            put_back(self._since(before))
            raise
        finally:
            self.undone = undone

    def _since(self, before: Mapping[Any, Place]) -> list[Place]:
        return [before.get(each.known_by, each) for each in self._every()]

    def _every(self) -> list[Place]:
        """All places; those that were found first last, as they were looked at before anything was changed."""
        modules = [place for guard in self.modules for place in guard.places(self._names_of(guard))]
        return [*modules, *reversed(self._walk.found.every)]
