"""What a contestant does: start from the first weights, and make steps."""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod


class Runner(ABC):
    """One workload in one framework. `note` says which variant was chosen."""

    note: str = ""
    unit: int = 1  # steps are made in multiples of this

    @abstractmethod
    def reset(self) -> None:
        """Back to the first weights, no moments, the first batch; not timed."""

    @abstractmethod
    def advance(self, steps: int, keep: int = 0) -> list[float]:
        """Make so many steps, finish them, and give the losses of the first `keep`."""

    def begin(self) -> None:
        """The first step, or as few as it can make: what it takes is the time to the first finished step."""
        self.advance(self.unit)

    def rounded(self, steps: int) -> int:
        """The least number of steps it can make that is not below `steps`."""
        return max(1, -(-steps // self.unit)) * self.unit


def lacks(*modules: str) -> str:
    """What to install, or nothing."""
    return ", ".join(f"{name} is not installed" for name in modules if importlib.util.find_spec(name) is None)
