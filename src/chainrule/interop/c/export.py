"""Compiled functions to a directory of C: an object file, its header, an example program."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import nn, tree
from ...capture import Use, capture
from ...errors import CheckpointError, ConfigurationError
from ...files import write_bytes
from ...ir.types import ArrayType
from ...tensor import Tensor

if TYPE_CHECKING:
    from ...compiler.running.library import Library, Routine
    from .header import Array, Contents

Routines = Mapping[str, tuple[Callable[..., Any], tuple[Any, ...]]]
NAME = re.compile(r"[A-Za-z_]\w*")


def export(
    directory: str | os.PathLike[str],
    routines: Routines,
    *,
    name: str = "network",
    target: str = "host",
    cpu: str | None = None,
    features: str = "",
    embed: bool = True,
) -> list[Path]:
    """Write functions as NAME.o and NAME.h, so that a device without Python can train and predict; gives the files.

    routines: name in C -> (function, example inputs), `{"train": (step, (images, labels))}`. Functions are as for
    `cr.compile` (compiled ones too): what they read and write outside themselves (weights, moments, running
    statistics, random state, learning rate) is in one block of memory that all of them share.
    target: "host", "x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4", "aarch64", or a triple of LLVM's; cpu and features:
    LLVM's names. For "host" C gives the bits that Python gives on this machine.
    embed: whether the object file carries the weights; else they are in NAME.state, which C loads.
    Raises ConfigurationError for names that C can't have, and TraceError where a function can't be traced.
    """
    from ...compiler.machine.targets import target_named
    from ...compiler.running.library import make_library
    from .header import example, header

    _check_names(name, routines)
    library = make_library(name, _captured(routines), target_named(target, cpu, features), embed)
    contents = _contents(name, library, routines, embed)
    place = Path(directory)
    files = {f"{name}.h": header(contents).encode(), f"{name}_example.c": example(contents).encode()}
    files[f"{name}.o"] = library.code
    if not embed:
        files[f"{name}.state"] = library.state.contents()
    for file, raw in files.items():
        write_bytes(place / file, raw)
    return [place / file for file in sorted(files)]


def load_state(header: str | os.PathLike[str], state: str | os.PathLike[str]) -> dict[str, np.ndarray[Any, Any]]:
    """What a device has learned: the parts of a saved block by their names in C. header: the library's NAME.h."""
    text, raw = Path(header).read_text(encoding="utf-8"), Path(state).read_bytes()
    size = re.search(r"_SAVED_BYTES (\d+)", text)
    if size is None or int(size[1]) != len(raw):
        raise CheckpointError(f"{state} is not a state of {header}: it has {len(raw)} bytes")
    library = Path(header).stem
    found = {}
    for type, part, offset, shape in re.findall(PART.format(library=re.escape(library)), text):
        sizes = tuple(int(each) for each in shape.split(",") if each.strip())
        array = np.frombuffer(raw, DTYPES.get(type, type.removesuffix("_t")), int(np.prod(sizes)), int(offset))
        found[part] = array.reshape(sizes).copy()
    return found


PART = r"static inline (\w+) \*{library}_(\w+)\(void \*state\) .*?state \+ (\d+)\); \}} /\* \((.*?)\) \*/"
DTYPES = {"float": "float32", "double": "float64"}


def _check_names(name: str, routines: Routines) -> None:
    from .names import RESERVED

    for each in (name, *routines):
        if not NAME.fullmatch(each):
            raise ConfigurationError(f"{each!r} can't be a name in C: letters, digits and _, the first no digit")
    if not routines or {*routines} & {*RESERVED}:
        raise ConfigurationError(f"export needs functions, named otherwise than {' and '.join(RESERVED)}")


def _captured(routines: Routines) -> list[Routine]:
    from ...compiler.running.library import Routine

    return [
        Routine(name, capture(_plain(function), _kinds(inputs), use=Use.FILE))
        for name, (function, inputs) in routines.items()
    ]


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    from ...compiler.running.function import CompiledFunction

    return function.function if isinstance(function, CompiledFunction) else function


def _kinds(inputs: tuple[Any, ...]) -> Any:
    """The inputs, arrays among them as their types."""
    from ...compiler.running.arguments import is_array

    leaves, structure = tree.flatten(tuple(inputs))
    return tree.unflatten(structure, [_kind(leaf) if is_array(leaf) else leaf for leaf in leaves])


def _kind(array: Any) -> ArrayType:
    return ArrayType(tuple(array.shape), np.dtype(array.dtype)) if not isinstance(array, Tensor) else array._value.type


def _contents(name: str, library: Library, routines: Routines, embed: bool) -> Contents:
    from .header import Array, Contents
    from .names import name_finder, unique

    functions = [_plain(function) for function, _ in routines.values()]
    find = name_finder(functions)
    slots = list(library.state.slots.values())
    names = unique([find(slot.source) for slot in slots], (*routines, "init"))
    parts = tuple(Array(part, slot.kind, slot.offset) for part, slot in zip(names, slots))
    signatures = tuple(_signature(routine, function) for routine, function in zip(library.routines, functions))
    target = f"{library.target.triple}, processor {library.target.cpu or 'generic'}"
    state = library.state
    return Contents(name, target, signatures, parts, state.saved_bytes, state.total_bytes, library.stack_bytes, embed)


def _signature(routine: Routine, function: Callable[..., Any]) -> Any:
    from ...names import parameters_of
    from .header import Signature

    graph, count = routine.captured.graph, routine.captured.result_count
    given, results = graph.inputs[: routine.captured.argument_count], graph.outputs[:count]
    parameters = parameters_of(function.forward if isinstance(function, nn.Module) else function)
    if len(parameters) != len(given):
        parameters = [f"input{number}" for number in range(len(given))]
    outs = ["result"] if count == 1 else [f"result{number}" for number in range(count)]
    arrays = _arrays([*parameters, *outs], [*(value.type for value in given), *(value.type for value in results)])
    return Signature(routine.name, tuple(arrays[: len(given)]), tuple(arrays[len(given) :]))


def _arrays(names: list[str], kinds: list[ArrayType]) -> list[Array]:
    from .header import Array
    from .names import identifier, unique

    return [Array(name, kind) for name, kind in zip(unique(map(identifier, names), ("state",)), kinds)]
