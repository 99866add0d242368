"""JAX: a whole epoch a call, as one `lax.scan` over the batches."""

from __future__ import annotations

from typing import Any

from workloads.base import Workload

from .jax_jit import JaxRunner, missing
from .runner import Runner

__all__ = ["missing", "prepare"]


class ScanRunner(JaxRunner):
    def prepare_data(self) -> None:
        batches, size = self.workload.batches, self.workload.batch_size
        stacked = tuple(self.jnp.asarray(array).reshape(batches, size, *array.shape[1:]) for array in self.data)
        self.unit = self.workload.epoch_steps
        self.stacked = stacked if batches > 1 else tuple(array[0] for array in stacked)
        self.compiled = self.jax.jit(self.epoch if batches > 1 else self.repeated, donate_argnums=0)

    def epoch(self, state: Any, stacked: Any) -> Any:
        """A step for each batch."""
        return self.jax.lax.scan(self.step, state, stacked)

    def repeated(self, state: Any, batch: Any) -> Any:
        """Many steps on the same, only batch."""
        return self.jax.lax.scan(lambda each, _: self.step(each, batch), state, length=self.unit)

    def advance(self, steps: int, keep: int = 0) -> list[float]:
        kept: list[float] = []
        for _ in range(steps // self.unit):
            self.state, losses = self.compiled(self.state, self.stacked)
            if len(kept) < keep:
                kept += losses.tolist()
        self.jax.block_until_ready((self.state, losses))
        return kept[:keep]


def prepare(workload: Workload, threads: int) -> Runner:
    """Ready for its first epoch, which compiles."""
    return ScanRunner(workload)
