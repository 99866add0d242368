"""What `cr.compile` gives: a function that becomes a native program when first called on arrays of given types."""

from __future__ import annotations

import copy
import functools
import itertools
import os
import threading
import weakref
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import tree
from ...capture import Use, capture
from ...captured import Captured, TensorCell
from ...capturing import Capture
from ...counts import checked_count_or_none
from ...ir.build import current_trace, is_differentiating, is_recording
from ...ir.types import ArrayType, NumpyArray
from ...names import argument_name, name_of, parameters_of
from ...sizes import bytes_of
from ...tensor import Tensor
from ..machine.memory import as_array
from ..machine.runtime import forks_wait
from .arguments import Itself, Signature, held_by, is_array, pattern_of, plain_arrays
from .entry import Entry
from .forecast import MemoryForecast
from .method import CompiledMethod
from .reasons import Call, Reasons, RecompileWarning
from .user_function import check_can_compile, name_where_found

if TYPE_CHECKING:
    from .epoch import Epoch
    from .names import Names
    from .profile import KernelTime

MOST_PROGRAMS = 8
"""That are kept for calls of one kind: those whose guards were the last to hold."""

__all__ = ["CompiledFunction", "RecompileWarning"]


@functools.cache
def _epoch_class() -> type[Epoch]:
    """Loaded with the first epoch, once: to import again what is there takes as long as many steps of a tiny net."""
    with forks_wait:
        from . import epoch
    return epoch.Epoch


_functions: weakref.WeakSet[CompiledFunction] = weakref.WeakSet()


def _unlock() -> None:
    """In a forked child: whoever held a lock in the parent is not there."""
    for function in _functions:
        function._lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


class CompiledFunction:
    """A function with its native programs."""

    def __init__(
        self,
        function: Callable[..., Any],
        threads: int | None = None,
        check_finite: bool = False,
        memory_limit: int | str | None = None,
    ) -> None:
        self._bound_to: type | None = type(function) if isinstance(function, staticmethod | classmethod) else None
        function = getattr(function, "__func__", function) if self._bound_to else function
        check_can_compile(function)
        functools.update_wrapper(self, function, updated=())
        self.function, self.threads = function, checked_count_or_none("threads", threads)
        self.memory_limit = None if memory_limit is None else bytes_of(memory_limit)
        self._entries: dict[Any, list[Entry]] = {}
        self._by_kinds: dict[Any, Entry] = {}
        self._by_rows: dict[Any, Entry] = {}
        self._last: tuple[Signature, Entry] | None = None
        self._assigned: dict[int, Tensor] = {}  # what it assigns to, by id: given as an argument that is no array
        self._own: set[int] = set()  # ids of those that may be among plain arrays
        self.check_finite = check_finite
        self.folder: Path | None = None  # where a step that is not finite is saved
        self.result_names: Sequence[str] = ()
        self._reasons = Reasons(function)
        self._lock = threading.RLock()
        _functions.add(self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program for these arguments; while it is traced or differentiated, the function itself."""
        if current_trace() is not None or is_differentiating():
            return self.function(*args, **kwargs)
        with self._lock:
            arrays = plain_arrays(args) if not kwargs else None
            if self._own and not self._own.isdisjoint(map(id, args)):
                arrays = None
            if arrays is not None and self._last is not None:
                signature, entry = self._last
                if signature.fits(arrays, is_recording()) and entry.holds:
                    return entry.run(arrays, args)
            entry, found = self._entry(args, kwargs)
            are_plain = arrays is not None and len(found) == len(args)
            if are_plain:
                self._last = Signature(entry.argument_kinds, is_recording()), entry
            return entry.run(found, args if are_plain else self._owners(args, kwargs))

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """As a method: bound to its instance, or to its class."""
        if self._bound_to is classmethod:
            return CompiledMethod(self, type(instance) if owner is None else owner)
        return self if instance is None or self._bound_to else CompiledMethod(self, instance)

    def _options(self) -> tuple[Any, ...]:
        return self.threads, self.check_finite, self.memory_limit

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledFunction:
        """Of a copied module the copied weights: programs belong to what they were traced on. A function is itself."""
        function = copy.deepcopy(self.function, memo)
        return self if function is self.function else CompiledFunction(function, *self._options())

    def __reduce__(self) -> Any:
        """By its name, as functions are pickled; programs are not."""
        return name_where_found(self) or (CompiledFunction, (self.function, *self._options()))

    def program(self, *args: Any, **kwargs: Any) -> Entry:
        """The program for these arguments, compiled if it is not yet; nothing is run."""
        with self._lock:
            return self._entry(args, kwargs, Use.LOOK)[0]

    def program_for_many(self, *args: Any, **kwargs: Any) -> Entry:
        """The same, for many runs. Raises TraceError where each run changes what the function reads."""
        with self._lock:
            return self._entry(args, kwargs, Use.MANY)[0]

    def program_for(self, kinds: Sequence[ArrayType], bound: Sequence[Any] = ()) -> Entry:
        """The same as `program_for_many` for arguments that are all arrays, of these types, behind those `bound`."""
        with self._lock:
            key = (*map(Itself, bound), *kinds, is_recording())
            entry = self._by_kinds.get(key)
            if entry is None or not entry.holds:
                examples = [*bound, *(np.empty(kind.shape, kind.dtype) for kind in kinds)]
                entry = self._by_kinds[key] = self._entry(examples, {}, Use.MANY)[0]
            return entry

    def program_for_rows(self, arrays: Sequence[NumpyArray], rows: int, bound: Sequence[Any] = ()) -> Entry:
        """The same for batches of so many rows of arrays; found again sooner, as a short epoch takes little more."""
        with self._lock:
            key = (*map(Itself, bound), rows, is_recording(), *((array.shape, array.dtype) for array in arrays))
            entry = self._by_rows.get(key)
            if entry is None or not entry.holds:
                kinds = [ArrayType((rows, *array.shape[1:]), array.dtype) for array in arrays]
                entry = self._by_rows[key] = self.program_for(kinds, bound)
            return entry

    def memory(self, *args: Any, **kwargs: Any) -> MemoryForecast:
        """The bytes that a call on these arguments needs, by what they hold; nothing is run.

        They are those of all its arrays, exactly. The program is compiled for it, and the next call finds it. Raises
        what a call does.

        >>> import chainrule as cr
        >>> print(cr.compile(lambda x: x * 2).memory(cr.zeros((1000, 256))))
        arguments     1000.0 KiB
        results       1000.0 KiB
        total            2.0 MiB
        """
        return self.program(*args, **kwargs).memory()

    def profile(self, *args: Any, runs: int = 10, **kwargs: Any) -> list[KernelTime]:
        """Where the time of a call on these arguments goes: the seconds of each kernel, in the order they run.

        The best of `runs` runs on copies of parameters and other cells, so nothing that the function would change is.
        """
        from .profile import profile

        with self._lock:
            return profile(*self._entry(args, kwargs, Use.LOOK), runs)

    def epoch(self, *arrays: Any, batch_size: int, order: Any = None) -> Any:
        """Run the function over the rows of arrays, batch after batch, in native code.

        arrays: (n, ...) each, the function's arguments; in a batch they are (batch_size, ...). order: the numbers of
        the rows in which they are seen, any of 0 to n - 1; by default each once. The last batch is smaller where
        batch_size does not divide their number. Gives the results of all batches, stacked: (batches, ...).
        Ctrl-C is seen between batches, about twenty times a second; how many are done is not told then: a run that is
        to be resumed is one of `fit`.

        Raises DataError where arrays differ in n, order is empty or not (rows,) integers, or the results of a smaller
        last batch have another shape; OutOfRangeError for a row that there is not; what a call does; and TraceError,
        leaving everything as it was, where each batch would change what the function reads but in tensors (a count in
        an attribute, random numbers of Python): call it batch by batch then, or keep the count in a tensor.

        >>> import chainrule as cr
        >>> cr.compile(lambda x: x.sum()).epoch([1, 2, 3, 4, 5], batch_size=2, order=[4, 3, 2, 1, 0])
        tensor([9, 5, 1])
        """
        return self.epoch_of((), arrays, batch_size, order)

    def epoch_of(self, bound: Sequence[Any], arrays: Sequence[Any], batch_size: int, order: Any) -> Any:
        """The same. bound: what a method is given before the arrays."""
        with self._lock:
            programs = functools.partial(self.program_for_rows, bound=bound)
            return _epoch_class()(programs, [as_array(each) for each in arrays], batch_size, order).run()

    def check(self) -> None:
        """With check_finite: look at weights and other cells now. Raises NonFiniteError where a call spoiled one.

        Calls look at their results each time, at cells now and then: this belongs behind the last. `epoch` needs none.
        Without check_finite there is nothing to look for, and it does nothing.
        """
        with self._lock:
            for entry in itertools.chain.from_iterable(self._entries.values()):
                if entry.checker is not None:
                    entry.checker.end()

    # -- finding the program

    def _entry(self, args: Any, kwargs: Any, use: Use = Use.RUN) -> tuple[Entry, list[NumpyArray]]:
        """The program for these arguments. Where it isn't run now it is no wonder that their shapes are new."""
        leaves, structure = tree.flatten((tuple(args), kwargs))
        own = self._assigned_among(leaves)
        call = Call(structure, pattern_of(leaves, own), held_by((args, kwargs)), is_recording())
        found = self._entries.setdefault(call, [])
        entry = next((each for each in found if each.holds), None)
        if entry is None:
            trace = Capture()
            captured = self._captured(call, leaves, trace, use)
            if self._assigned_among(leaves) > own:  # as is known only now
                trace.around.require_undoable(
                    "a tensor among the arguments is assigned to, for which it is traced twice"
                )
                trace.around.undo()
                return self._entry(args, kwargs, use)
            broken = found[-1:]
            entry = self._compiled(captured, leaves, self._argument_names(args, kwargs, own))
            found[:] = [*(each for each in found if not each.captured.guards.changed), entry][-MOST_PROGRAMS:]
            self._reasons.tell(call, broken, (tuple(args), kwargs), expected=use is not Use.RUN)
        return entry, [as_array(leaf) for leaf in leaves if is_array(leaf, own)]

    def _captured(self, call: Call, leaves: Sequence[Any], trace: Capture, use: Use) -> Captured:
        """The function as a graph; it is noted which tensors it assigns to that may come as arguments too."""
        given = [kind if isinstance(kind, ArrayType) else leaf for kind, leaf in zip(call.pattern, leaves)]
        positional, named = tree.unflatten(call.structure, given)
        captured = capture(self.function, positional, named, trace, use)
        written = [cell.owner for cell in captured.written if isinstance(cell, TensorCell) and is_array(cell.owner)]
        self._assigned.update((id(owner), owner) for owner in written)
        self._own.update(id(owner) for owner in written if type(owner) is Tensor)
        return captured

    def _assigned_among(self, leaves: Sequence[Any]) -> set[int]:
        return {id(leaf) for leaf in leaves if id(leaf) in self._assigned}

    def _compiled(self, captured: Captured, leaves: Sequence[Any], argument_names: list[str]) -> Entry:
        tracked = [leaf for leaf in leaves if isinstance(leaf, Tensor) and leaf.requires_grad]
        entry = Entry(captured, self.threads, tracked, self.memory_limit)
        entry.argument_names = argument_names
        if self.check_finite:
            with forks_wait:
                from .checked import Checker

            entry.checker = Checker(entry, self._names(entry), self.folder)
        return entry

    def _owners(self, args: Any, kwargs: Any) -> Sequence[Any]:
        """The arrays and tensors among the arguments, for a checker; nobody else asks."""
        if not self.check_finite:
            return ()
        leaves = tree.leaves((tuple(args), kwargs))
        return [leaf for leaf in leaves if is_array(leaf, self._assigned)]

    def _argument_names(self, args: Any, kwargs: Any, own: Collection[int]) -> list[str]:
        """What the arrays among the arguments are called in messages."""
        parameters = parameters_of(self.function)
        leaves = tree.flatten_with_paths((tuple(args), kwargs))
        return [argument_name(path, parameters) for path, leaf in leaves if is_array(leaf, own)]

    def _names(self, entry: Entry) -> Names:
        """What arguments, results and cells are called in messages."""
        from .names import Names, cell_names

        name = name_of(self.function)
        count = entry.captured.result_count
        numbered = (
            [f"the result of {name}"] if count == 1 else [f"result {number} of {name}" for number in range(count)]
        )
        return Names(
            name,
            entry.argument_names,
            [*self.result_names, *numbered[len(self.result_names) :]],
            cell_names(self.function),
        )
