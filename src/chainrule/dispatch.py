"""The one door to the compiler: nothing of it, and no LLVM, is loaded before a function is compiled."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .compiler.running.function import CompiledFunction


def compile(
    function: Callable[..., Any] | None = None,
    *,
    threads: int | None = None,
    check_finite: bool = False,
    memory_limit: int | str | None = None,
) -> Any:
    """Compile a function to native code: its forward pass, gradients and updates as one program.

    function: gives arrays, in any containers, for arguments that are arrays and whatever else it takes; a method, too.
    The result is called as the function is. The first call with arrays of given shapes and element types traces the
    function, which calls it once, and compiles it; further ones run the program. Tensors that it reads or writes
    outside itself (parameters, moments, running statistics, random state) are read anew at each call and updated in
    place. Python numbers, strings and bools among the arguments are part of the program: another value compiles again,
    with a `RecompileWarning`. The result also has `epoch`, which runs it over whole arrays in native code, `memory`,
    the bytes that a call needs, `profile`, the seconds of each kernel, and `program`, whose `show()` gives its stages.

    threads: how many to use at most, by default all cores; a program with little work runs on one. The result has the
    same bits for any number of threads.
    check_finite: look for NaN and infinity in results and in what is written; the first is a NonFiniteError that tells
    the operation that made it, with your line, what it was given, which example it comes from, and a file that replays
    the step. Weights are then as they were before that step. Calls look at weights now and then only: `check()` of the
    result, behind the last call, looks at them all.
    memory_limit: bytes, or "500 MB" (millions) or "1.5 GiB" (powers of 1024), that the program may need at most,
    parameters, moments and arguments included (what `memory` tells). As few parts of the forward pass as it takes are
    computed again for the gradients instead of being kept: the same numbers but for the last bits of sums that another
    program may take in another order.

    What the code of the function, and of your functions that it calls, reads around itself by name counts as it is at
    each call, as it does eagerly: numbers, strings, functions, tensors, NumPy arrays, lists, dicts and plain objects in
    globals, closures, defaults and attributes, and the parts and options of modules; an attribute that is asked for and
    missing (`getattr(self, "scale", 1.0)`) counts once the object has it. A change compiles again. What changes from
    call to call belongs among the arguments as an array, or in a tensor that is assigned to. A NumPy array is compared
    at each call, which takes time where it is large; a tensor is not. Not seen are: what has no name in the code
    (files, the environment, the clock, `globals()[name]`, `getattr(self, f"layer{n}")` of what is no module, context
    variables), relative imports in the function, containers of more than 1000 items, or of kinds that Python's `array`
    and `types` have, what `==` and `str` of a dataclass look at, an `lru_cache` that is cleared, code of installed
    packages, other methods, or attributes that objects lack, put into a class, and what the function itself puts in
    place of anything but a number, or only adds to a list, dict or set. What the function changes and reads again (a
    count, an array, random numbers of Python or NumPy, an iterator) changes once at each call, which compiles again for
    it; `epoch` and `fit`, where one program makes many steps, need it in a tensor: `self.steps = cr.tensor(0)`, then
    `self.steps += 1`. `cr.random` draws in the program.

    Gradients of the result (`cr.grad`, `cr.value_and_grad`, `cr.jvp`, `cr.vmap` and their like) are those of `function`
    itself, of any order, and run eagerly: `cr.compile(cr.grad(f))` is one program. `backward` through what it returned
    is a GradientError: compile the step that has `backward` in it.

    A tensor that is given and also assigned to is one tensor, as eagerly. A list, dict, dataclass or module that is
    given may not be changed: return the new one. What has no effect on what is read happens while the function is
    traced, and at no other call: `print` (of a tensor "tensor(traced float32[])": return it, and print what the call
    gives), logs, files. A module that puts one more module or parameter into itself at each call is a TraceError. A
    generator made inside without a seed draws then. Whether two arguments are one tensor (`x is y`), and state taken
    out of an optimiser (`optimizer.state.clear()`), is not seen.

    Python threads that call one compiled function take turns: each call is a whole step. Functions of their own that
    train the same tensors at the same time don't wait for each other: each call reads what is there and writes it back,
    so that updates may be lost or mixed (hold a lock, or call one function, for whole steps); nothing worse happens.

    Raises TraceError, with your line, where the function asks for the elements of an array while it is traced (`if`,
    `float()`, `print` of a number), or does what a program can't; ConfigurationError for what is no plain function, and
    for a memory_limit that can't be kept; OutOfRangeError for an index outside its axis (with what holds it, and your
    line); LinearAlgebraError for a singular matrix. A program meets the last two while it runs: what it updates in
    place is then updated all the same, with index 0 or NaN in its place, so go on from a checkpoint; with check_finite
    it is put back.

    >>> import chainrule as cr
    >>> @cr.compile
    ... def norm(x):
    ...     return cr.sqrt((x * x).sum())
    >>> norm(cr.tensor([3.0, 4.0]))
    tensor(5.)
    """
    if function is None:
        return functools.partial(compile, threads=threads, check_finite=check_finite, memory_limit=memory_limit)
    return compiled_function(function, threads, check_finite, memory_limit)


def compiled_function(
    function: Callable[..., Any],
    threads: int | None = None,
    check_finite: bool = False,
    memory_limit: int | str | None = None,
) -> CompiledFunction:
    """The same, for those who know that they get a CompiledFunction."""
    from .compiler.running.function import CompiledFunction

    return CompiledFunction(function, threads, check_finite, memory_limit)
