"""A program's code in pieces: other threads compile what is written, while Python writes the rest.

A piece is some functions of a module as a module of its own, and the pieces of a program are linked when they are
loaded. Where one ends follows from the text alone, whoever compiles it; where nobody helps all is one piece. A function
has the same code in any.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from types import TracebackType

from ..text.module import Module, name_of
from .cores import default_threads
from .runtime import Parsed, compiled_text, llvm_at_work

LEAST = 80_000
"""Characters of a piece: about forty milliseconds of LLVM's time. Each piece costs five more.

Helpers have nothing to do until the first is written.
"""
MOST_HELPERS = 3
NAMES = re.compile(r"@[\w.$]+")
HEAD = re.compile(r"define (?:internal )?(?P<result>.+?) (?P<name>@[\w.$]+)\((?P<parameters>[^)]*)\)")


class Pieces:
    """Compiles a module while it is written; inside its `with` block LLVM is this program's alone."""

    def __init__(self) -> None:
        self._modules: list[Parsed] = []
        self._code: dict[int, bytes] = {}
        self._sent: dict[int, str] = {}  # functions that are in a piece, by id
        self._failed: list[BaseException] = []
        self._guard = threading.Lock()
        self._helpers: list[threading.Thread] = []
        self._next = self._busy = 0
        self._most_helpers = min(default_threads() - 1, MOST_HELPERS)

    def __enter__(self) -> Pieces:
        self._at_work = llvm_at_work()
        self._at_work.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._next = len(self._modules)
            for helper in self._helpers:
                helper.join()
            for module in self._modules:
                module.close()
        finally:
            self._at_work.__exit__(kind, error, trace)

    def look(self, module: Module) -> None:
        """Compile what was written, if it is enough for a piece and somebody else can do it."""
        if self._most_helpers == 0:
            return
        new = self._new(module)
        if sum(map(len, new)) >= LEAST:
            self._send(module, new)

    def finish(self, module: Module, passes: bool = False) -> list[bytes]:
        """All of the module as object files. passes: LLVM's passes are run, for which it must be in one piece."""
        if passes:
            return [compiled_text(module.text(), passes)]
        self._send(module, self._new(module))
        with self._guard:
            self._busy += 1
        self._work()
        for helper in self._helpers:
            helper.join()
        if self._failed:
            raise self._failed[0]
        return [self._code[number] for number in range(len(self._modules))]

    def _new(self, module: Module) -> list[str]:
        return [text for text in module.functions if id(text) not in self._sent]

    def _send(self, module: Module, functions: Sequence[str]) -> None:
        others = [*self._sent.values(), *module.functions]
        self._sent.update((id(text), text) for text in functions)
        parsed = Parsed(piece_of(module, functions, others))  # here, as a helper waits long for Python's lock
        with self._guard:
            self._modules.append(parsed)
            if self._busy >= self._most_helpers:
                return
            self._busy += 1
        helper = threading.Thread(target=self._work, name="chainrule-compiler")
        try:
            helper.start()
        except RuntimeError:  # as the interpreter ends, or the system gives no more: who finishes does all
            self._busy, self._most_helpers = self._busy - 1, 0
            return
        self._helpers.append(helper)

    def _work(self) -> None:
        """Compile pieces until there are none that nobody works on."""
        while True:
            with self._guard:
                number = self._next
                if number >= len(self._modules):
                    self._busy -= 1
                    return
                self._next += 1
            try:
                self._code[number] = self._modules[number].compiled()
            except BaseException as error:
                self._failed.append(error)
            self._modules[number].close()


def piece_of(module: Module, functions: Sequence[str], others: Sequence[str]) -> str:
    """Functions as a module of their own, with the tables they read; `others`, which they may call, are declared."""
    body = "\n".join(functions)
    named = set(NAMES.findall(body))
    words = [line for line in module.data if line.split(" ", 1)[0] in named]
    named |= set(NAMES.findall("\n".join(words)))
    tables = [line for line in module.globals.values() if line.split(" ", 1)[0] in named]
    declared = [line for name, line in module.declarations.items() if name in named]
    own = {name_of(text) for text in functions}
    callees = {name_of(text): text for text in others}
    declared += [_declaration(text) for name, text in callees.items() if f"@{name}" in named and name not in own]
    return "\n".join([*tables, *words, body, *declared, *module.metadata, ""])


def _declaration(function: str) -> str:
    """`declare ...` for a function, from its text."""
    head = HEAD.match(function)
    assert head is not None
    types = [each.rsplit(" %", 1)[0] for each in head["parameters"].split(", ") if each]
    return f"declare {head['result']} {head['name']}({', '.join(types)})"
