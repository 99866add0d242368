"""A `with` block that also decorates functions, and may be nested in itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager, ContextDecorator
from typing import Any, TypeVar

from .errors import ConfigurationError

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class Block(ContextDecorator):
    """What holds inside is said by `_inside`; each entry has a context of its own."""

    def __init__(self) -> None:
        self._entered: list[AbstractContextManager[Any]] = []

    def _inside(self) -> AbstractContextManager[Any]:
        raise NotImplementedError

    def __enter__(self) -> None:
        self._entered.append(self._inside())
        self._entered[-1].__enter__()

    def __exit__(self, *exception: Any) -> None:
        self._entered.pop().__exit__(None, None, None)

    def __call__(self, func: Decorated) -> Decorated:
        """Decorate a function; a generator is refused, because its body would run after the block has ended."""
        if inspect.isgeneratorfunction(func) or inspect.iscoroutinefunction(func):
            name = type(self).__name__
            raise ConfigurationError(f"{name} can't decorate {func.__name__}: its body runs later; use it inside")
        return super().__call__(func)
