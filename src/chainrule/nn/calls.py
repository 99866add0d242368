"""Which modules a network calls, in which order, on what: seen by wrapping the forwards of a copy of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .module import Module


@dataclass(frozen=True, eq=False)
class Call:
    """One call of one module."""

    path: str
    module: Module
    inputs: tuple[Any, ...]
    output: Any


@contextmanager
def noted_calls(network: Module) -> Iterator[list[Call]]:
    """The calls inside the block, each noted when it ends. Give it a deep copy: other threads would be noted too."""
    calls: list[Call] = []
    modules = dict(network.named_modules())
    for path, module in modules.items():
        module.__dict__["forward"] = _noted(path, module, module.forward, calls)
    try:
        yield calls
    finally:
        for module in modules.values():
            del module.__dict__["forward"]


def _noted(path: str, module: Module, forward: Callable[..., Any], calls: list[Call]) -> Callable[..., Any]:
    def noted(*inputs: Any, **options: Any) -> Any:
        output = forward(*inputs, **options)
        calls.append(Call(path, module, inputs, output))
        return output

    return noted
