"""Chainrule: one step a call, the whole step one native program (`cr.compile`)."""

from __future__ import annotations

from workloads.base import Workload

from .chainrule_eager import ChainruleRunner
from .runner import Runner, lacks


def missing() -> str:
    """What it lacks here."""
    if absent := lacks("chainrule", "llvmlite"):
        return absent
    import chainrule as cr

    return "" if hasattr(cr, "compile") else "this version has no cr.compile"


class CompiledRunner(ChainruleRunner):
    def prepare_data(self) -> None:
        super().prepare_data()
        self.call = self.compiled = self.cr.compile(self.step, threads=self.threads)


def prepare(workload: Workload, threads: int) -> Runner:
    """Ready for its first step, which compiles."""
    return CompiledRunner(workload, threads)
