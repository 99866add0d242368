"""A module of LLVM IR: functions, constant tables, declarations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .register import Reg


class Module:
    """Functions, globals and declarations, each written once. watcher: is told whenever a kernel has been written.

    long_rounds: whether loops that take most of the time may have twice as much code.
    """

    def __init__(
        self,
        has_fma: bool = True,
        has_scaling: bool = False,
        watcher: Callable[[Module], None] | None = None,
        bfloat16: str = "",
        long_rounds: bool = False,
    ) -> None:
        self.has_fma, self.has_scaling, self.watcher, self.bfloat16 = has_fma, has_scaling, watcher, bfloat16
        self.long_rounds = long_rounds
        self.functions: list[str] = []
        self.globals: dict[bytes, str] = {}
        self.declarations: dict[str, str] = {}
        self.helpers: set[str] = set()
        self.metadata: list[str] = []
        self.data: list[str] = []

    def is_new(self, helper: str) -> bool:
        """Whether nobody has asked for this function, which several kernels call, yet: who asks first writes it."""
        if helper in self.helpers:
            return False
        self.helpers.add(helper)
        return True

    def add_kernel(self, text: str) -> None:
        """A function that is done, and those it calls too."""
        self.functions.append(text)
        if self.watcher is not None:
            self.watcher(self)

    def declare(self, name: str, signature: str) -> None:
        """`declare signature` for an external function or intrinsic."""
        self.declarations.setdefault(name, f"declare {signature}")

    def table(self, data: np.ndarray[Any, Any]) -> Reg:
        """A constant array in read-only memory; the same bytes are kept once."""
        raw = np.ascontiguousarray(data).tobytes()
        if raw not in self.globals:
            name = f"@table{len(self.globals)}"
            text = "".join(f"\\{byte:02X}" for byte in raw)
            self.globals[raw] = f'{name} = private unnamed_addr constant [{len(raw)} x i8] c"{text}", align 64'
        return Reg("ptr", self.globals[raw].split(" ")[0])

    def words(self, name: str, words: Sequence[str]) -> None:
        """A table of i64 words, which may be addresses of functions."""
        self.data.append(
            f"{name} = private constant [{len(words)} x i64] [{', '.join(f'i64 {each}' for each in words)}]"
        )

    def unrolled_loop(self) -> str:
        """Metadata for the branch back of one loop that is to be written out in full."""
        number = max(1, len(self.metadata))
        wish = '!0 = !{!"llvm.loop.unroll.full"}'
        self.metadata = [*(self.metadata or [wish]), f"!{number} = distinct !{{!{number}, !0}}"]
        return f"!{number}"

    def text(self) -> str:
        """The whole module."""
        lines = [*self.globals.values(), *self.data, *self.functions, *self.declarations.values(), *self.metadata]
        return "\n".join([*lines, ""])


def name_of(function: str) -> str:
    """The name of a function, from its text."""
    return function.split("(", 1)[0].rpartition("@")[2]
