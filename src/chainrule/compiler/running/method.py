"""A compiled function as a method: bound to its instance, with all that a compiled function has."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from .entry import Entry
from .forecast import MemoryForecast

if TYPE_CHECKING:
    from .profile import KernelTime


class CompiledMethod(functools.partial[Any]):
    """What `instance.method` is where the method was compiled: its first argument is the instance."""

    @property
    def _compiled(self) -> Any:
        return self.func

    def program(self, *args: Any, **kwargs: Any) -> Entry:
        """See `CompiledFunction.program`."""
        found: Entry = self._compiled.program(*self.args, *args, **kwargs)
        return found

    def memory(self, *args: Any, **kwargs: Any) -> MemoryForecast:
        """See `CompiledFunction.memory`."""
        found: MemoryForecast = self._compiled.memory(*self.args, *args, **kwargs)
        return found

    def profile(self, *args: Any, runs: int = 10, **kwargs: Any) -> list[KernelTime]:
        """See `CompiledFunction.profile`."""
        found: list[KernelTime] = self._compiled.profile(*self.args, *args, runs=runs, **kwargs)
        return found

    def epoch(self, *arrays: Any, batch_size: int, order: Any = None) -> Any:
        """See `CompiledFunction.epoch`."""
        return self._compiled.epoch_of(self.args, arrays, batch_size, order)

    def check(self) -> None:
        """See `CompiledFunction.check`."""
        self._compiled.check()
