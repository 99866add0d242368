"""What is to be compiled, and the name under which its code is kept."""

from __future__ import annotations

import numpy as np

from ..ir.graph import Graph
from ..ir.signature import signature_of
from ..records import dataclass
from .machine import cache
from .machine.fingerprint import fingerprint
from .machine.runtime import machine


@dataclass(frozen=True)
class Repeated:
    """What `steps` has to know: how many inputs are batches, which are numbers, how many outputs are results."""

    arguments: int
    numbers: int
    results: int


@dataclass(frozen=True)
class Job:
    """What is to be compiled. in_place: output number -> input number whose memory it takes over.

    memory_limit: bytes that it may need at most, all that goes in and out included.
    """

    graph: Graph
    in_place: dict[int, int]
    optimise: bool
    repeated: Repeated | None
    memory_limit: int | None = None

    def key(self) -> str | None:
        """The name under which its code is kept on disk; None where it can't be told from the graph alone."""
        signature = signature_of(self.graph)
        if signature is None:
            return None
        options = f"{sorted(self.in_place.items())} {self.optimise} {self.repeated} {self.memory_limit}"
        return cache.key_of(signature, options, fingerprint(), np.__version__, *machine())
