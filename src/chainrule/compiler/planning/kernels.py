"""The kernels of a program: each is written once, whatever asks for it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from ..text.emit import Function, Module, Reg
from ..text.target import Target

Writer = Callable[[Function, Sequence[Reg], Reg, Reg], None]
"""(function, pointers, begin, end) -> writes the body of a kernel."""


class Kernels:
    """Kernels by their text, and by keys that say the same with less work."""

    def __init__(self, module: Module, target: Target) -> None:
        self.module, self.target = module, target
        self._by_text: dict[str, str] = {}
        self._by_key: dict[Any, str] = {}
        self._tasks: dict[Any, int] = {}
        self._uses: Counter[str] = Counter()
        self._spare: dict[str, str] = {}  # name -> text of those that nobody needs now

    def named(self, writer: Writer, count: int, label: str, key: Any = None) -> str:
        """The name of a kernel with so many pointers, which is written unless there is one with this key."""
        name = self._by_key.get(key) if key is not None else None
        if name is None:
            name = self._write(writer, count, label)
            if key is not None:
                self._by_key[key] = name
        if name in self._spare:
            self.module.add_kernel(self._spare.pop(name))
        self._uses[name] += 1
        return name

    def take_back(self, name: str) -> None:
        """One who asked does not need it. What nobody needs is left out, but kept for whoever asks for it later."""
        self._uses[name] -= 1
        if self._uses[name]:
            return
        head = f"@{name}("
        functions = self.module.functions
        place = next(n for n, text in enumerate(functions) if head in text.split("{", 1)[0])
        self._spare[name] = functions.pop(place)

    def tasks_of(self, key: Any, count: Callable[[], int]) -> int:
        """How many tasks a kernel of this key has; counted once."""
        if key is None:
            return count()
        if key not in self._tasks:
            self._tasks[key] = count()
        return self._tasks[key]

    def _write(self, writer: Writer, count: int, label: str) -> str:
        parameters = [Reg("ptr", f"%a{number}") for number in range(count)]
        begin, end = Reg("i64", "%begin"), Reg("i64", "%end")
        f = Function(self.module, "KERNEL", [*parameters, begin, end], f"noinline {self.target.attributes}")
        writer(f, parameters, begin, end)
        f.finish()
        text = self.module.functions.pop()
        key = hashlib.sha256(text.encode()).hexdigest()
        name = self._by_text.get(key)
        if name is None:
            name = f"k{len(self._by_text)}_{_identifier(label)}"
            self._by_text[key] = name
            self.module.add_kernel(text.replace("@KERNEL(", f"@{name}(", 1))
        return name


def _identifier(label: str) -> str:
    kept = "".join(character if character.isalnum() else "_" for character in label)
    return "_".join(part for part in kept.split("_") if part)[:48]
