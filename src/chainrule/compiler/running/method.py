"""A compiled function as a method: bound to its instance, with all that a compiled function has."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, cast

from .entry import Entry
from .forecast import MemoryForecast

if TYPE_CHECKING:
    from .function import CompiledFunction
    from .profile import KernelTime


class CompiledMethod(functools.partial[Any]):
    """What `instance.method` is where the method was compiled: its first argument is the instance."""

    def compiled(self) -> CompiledFunction:
        """The function behind it, for all instances."""
        return cast("CompiledFunction", self.func)

    def program(self, *args: Any, **kwargs: Any) -> Entry:
        """See `CompiledFunction.program`."""
        return self.compiled().program(*self.args, *args, **kwargs)

    def memory(self, *args: Any, **kwargs: Any) -> MemoryForecast:
        """See `CompiledFunction.memory`."""
        return self.compiled().memory(*self.args, *args, **kwargs)

    def profile(self, *args: Any, runs: int = 10, **kwargs: Any) -> list[KernelTime]:
        """See `CompiledFunction.profile`."""
        return self.compiled().profile(*self.args, *args, runs=runs, **kwargs)

    def epoch(self, *arrays: Any, batch_size: int, order: Any = None) -> Any:
        """See `CompiledFunction.epoch`."""
        return self.compiled().epoch_of(self.args, arrays, batch_size, order)

    def check(self) -> None:
        """See `CompiledFunction.check`."""
        self.compiled().check()
