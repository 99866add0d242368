"""Memory and time of a training step, by what holds it and by operation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..html.charts import bars
from ..html.document import Section
from ..html.markup import element
from ..html.numbers import size
from .curves import facts

MOST_KERNELS = 18
MICROSECONDS = 1e6
PARTS = {
    "arguments": "the batch",
    "moments": "the optimiser's moments",
    "gradients": "gradients kept after the step",
    "state": "running statistics, random state",
    "activations": "activations, kept for the backward pass",
    "results": "what the step gives",
}


@dataclass(frozen=True)
class Kernel:
    """One kernel of the native step: what it computes, the user's line, its seconds in one run."""

    label: str
    source: str
    seconds: float


def resources_section(memory: Mapping[str, int], kernels: Sequence[Kernel], batch: int) -> Section:
    """memory: bytes by what they hold. kernels: in the order in which they run."""
    held = [(PARTS.get(name, name), number) for name, number in memory.items() if name != "total"]
    seconds = sum(kernel.seconds for kernel in kernels)
    shown = [("memory of the step", size(memory["total"]))] if "total" in memory else []
    if kernels:
        shown += [("time of the step", f"{seconds * 1e3:.3g} ms"), ("examples a second", f"{batch / seconds:,.0f}")]
    megabytes = [number / 2**20 for _, number in held]
    parts = [bars("Memory, MiB", [name for name, _ in held], megabytes)]
    if kernels:
        slowest = sorted(kernels, key=lambda kernel: -kernel.seconds)[:MOST_KERNELS]
        names = [f"{each.label}" for each in slowest]
        note = (
            f"the {len(slowest)} slowest of {len(kernels)} kernels of the native step"
            if len(kernels) > len(slowest)
            else ""
        )
        parts.append(bars("Time, microseconds", names, [each.seconds * MICROSECONDS for each in slowest], note=note))
    lead = f"One training step on {batch} examples, as the compiler planned it and the processor ran it."
    body = element("div", facts(shown), element("div", parts, class_="grid-of plain-bars"))
    return Section("resources", "What a step takes", body, lead=lead)
