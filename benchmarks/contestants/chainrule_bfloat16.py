"""Chainrule: whole epochs a call, products in bfloat16 (`cr.autocast`)."""

from __future__ import annotations

from typing import Any

from workloads.base import Workload

from .chainrule_compiled import missing
from .chainrule_epoch import EpochRunner
from .runner import Runner

__all__ = ["missing", "prepare"]


class Bfloat16Runner(EpochRunner):
    def loss(self, *batch: Any) -> Any:
        with self.cr.autocast("bfloat16"):
            return super().loss(*batch)


def prepare(workload: Workload, threads: int) -> Runner:
    """Ready for its first epoch, which compiles."""
    return Bfloat16Runner(workload, threads)
