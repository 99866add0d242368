"""What a piece of code reads: names and what it takes of them, seen in its instructions."""

from __future__ import annotations

import dis
import functools
from collections.abc import Iterable, Iterator
from types import CodeType
from typing import Any

from ..records import dataclass

Path = tuple[tuple[str, Any], ...]
"""("attribute", its name) or ("item", its key), one after the other."""


@dataclass(frozen=True)
class Read:
    """A name that code reads, and the path to what it takes of it. kind: global, cell, local or module."""

    kind: str
    name: str
    path: Path = ()


@dataclass(frozen=True)
class Reads:
    """All that code reads. loose: names of attributes of what has no name that is known, such as a local variable."""

    names: tuple[Read, ...]
    loose: frozenset[str]


ATTRIBUTES = {"LOAD_ATTR", "LOAD_METHOD"}
GLOBALS = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
CELLS = {"LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"}


WHOLE = {"vars", "__dict__", "asdict", "astuple"}
"""Names in code that asks for all attributes of an object."""
ALL = "*"
"""Instead of the name of an attribute: every one."""


@functools.lru_cache(maxsize=4096)
def reads_of(code: CodeType) -> Reads:
    """What code reads, that of functions, lambdas and comprehensions inside it too."""
    found, loose = list[Read](), set[str]()
    own = _parameters(code) - _stored(code)
    for read in _reads(code):
        if read.kind == "local" and read.name not in own:
            loose.update(str(key) for kind, key in read.path if kind == "attribute")
        else:
            found.append(read)
    for inside in (each for each in code.co_consts if isinstance(each, CodeType)):
        inner = reads_of(inside)
        loose |= inner.loose
        for read in inner.names:
            if read.kind == "local" or (read.kind == "cell" and read.name not in {*code.co_freevars, *own}):
                loose.update(str(key) for kind, key in read.path if kind == "attribute")
            elif read.kind == "cell" and read.name in own:
                found.append(Read("local", read.name, read.path))
            else:
                found.append(read)
    return Reads(tuple(dict.fromkeys(found)), frozenset(loose))


@functools.lru_cache(maxsize=32)
def _instructions(code: CodeType) -> list[dis.Instruction]:
    """Those that mean something here: they are gone through several times, and take longest to take apart."""
    return [each for each in dis.get_instructions(code) if each.opname not in ("EXTENDED_ARG", "PUSH_NULL")]


def _parameters(code: CodeType) -> set[str]:
    count = code.co_argcount + code.co_kwonlyargcount
    return set(code.co_varnames[:count])


def _stored(code: CodeType) -> set[str]:
    """Local variables that are given something else, in the code or in functions inside it."""
    found = set[str]()
    for each in _instructions(code):
        if each.opname in ("STORE_FAST_LOAD_FAST", "STORE_FAST_STORE_FAST"):
            found.update(each.argval)
        elif each.opname.startswith(("STORE_FAST", "STORE_DEREF", "LOAD_FAST_AND_CLEAR")):
            found.add(each.argval)
    return found.union(*(_stored(each) for each in code.co_consts if isinstance(each, CodeType)))


def _reads(code: CodeType) -> Iterator[Read]:
    """Names, with the attributes and constant items that the instructions behind each take of it."""
    instructions = _instructions(code)
    uses_getattr = not {"getattr", "hasattr"}.isdisjoint(code.co_names)
    if not WHOLE.isdisjoint(code.co_names):
        yield _loose(ALL)
    for name in _strings(code.co_consts) if uses_getattr else ():
        yield _loose(name)
    at = 0
    while at < len(instructions):
        here = instructions[at]
        loaded = list(_loaded(here, code))
        at += 1
        if loaded:
            path, at = _path(instructions, at)
            yield from loaded[:-1]
            yield Read(loaded[-1].kind, loaded[-1].name, path)
        elif here.opname in (*ATTRIBUTES, "IMPORT_FROM") or here.opname.startswith("LOAD_SUPER"):
            yield _loose(here.argval)
        elif here.opname == "IMPORT_NAME":
            yield Read("module", here.argval)


def _strings(constants: Iterable[Any]) -> Iterator[str]:
    """Those among constants, and in tuples and sets there."""
    for each in constants:
        if isinstance(each, str):
            yield each
        elif isinstance(each, tuple | frozenset):
            yield from _strings(each)


def _loose(name: str) -> Read:
    return Read("local", "", (("attribute", name),))


def _loaded(instruction: dis.Instruction, code: CodeType) -> Iterator[Read]:
    operation, names = instruction.opname, instruction.argval
    if operation in GLOBALS:
        yield Read("global", names)
    elif operation in CELLS:
        yield Read("cell" if names in code.co_freevars else "local", names)
    elif "LOAD_FAST" in operation and operation != "LOAD_FAST_AND_CLEAR":
        names = names if isinstance(names, tuple) else (names,)
        for name in names[operation.startswith("STORE") :]:
            yield Read("cell" if name in code.co_freevars else "local", name)


def _path(instructions: list[dis.Instruction], at: int) -> tuple[Path, int]:
    """What is taken of what was just loaded, and where the instructions go on."""
    path: list[tuple[str, Any]] = []
    while at < len(instructions):
        here, behind = instructions[at], instructions[at + 1 : at + 2]
        if here.is_jump_target:  # another value may come here: (a or b).c
            break
        if here.opname in ATTRIBUTES:
            path.append(("attribute", here.argval))
            at += 1
        elif here.opname in ("LOAD_CONST", "LOAD_SMALL_INT") and behind and _is_item(behind[0]):
            if not isinstance(here.argval, str | int):
                break
            path.append(("item", here.argval))
            at += 2
        else:
            break
    return tuple(path), at


def _is_item(instruction: dis.Instruction) -> bool:
    return instruction.opname == "BINARY_SUBSCR" or (instruction.opname == "BINARY_OP" and instruction.argrepr == "[]")
