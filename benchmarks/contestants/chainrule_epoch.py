"""Chainrule: a whole epoch a call (`step.epoch`), which picks the batches itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from workloads.base import Workload

from .chainrule_compiled import CompiledRunner, missing
from .runner import Runner

__all__ = ["missing", "prepare"]


class EpochRunner(CompiledRunner):
    def prepare_data(self) -> None:
        super().prepare_data()
        del self.batches
        self.epoch: Any = self.compiled.epoch
        self.unit = self.workload.epoch_steps
        rows = np.arange(self.workload.batches * self.workload.batch_size)
        self.order = np.tile(rows, self.unit // self.workload.batches)

    def begin(self) -> None:
        """An epoch of one batch: its program is that of a long one."""
        self.epoch(*self.data, batch_size=self.workload.batch_size, order=self.order[: self.workload.batch_size])

    def advance(self, steps: int, keep: int = 0) -> list[float]:
        kept: list[float] = []
        for _ in range(steps // self.unit):
            losses = self.epoch(*self.data, batch_size=self.workload.batch_size, order=self.order)
            if len(kept) < keep:
                kept += losses.tolist()
        return kept[:keep]


def prepare(workload: Workload, threads: int) -> Runner:
    """Ready for its first epoch, which compiles."""
    return EpochRunner(workload, threads)
