"""Chainrule: one step a call, the whole step one native program (`cr.compile`)."""

from __future__ import annotations

from workloads.base import Workload

from .chainrule_eager import ChainruleRunner, set_threads
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
        self.step = self.cr.compile(self.step)  # type: ignore[method-assign]


def prepare(workload: Workload, threads: int) -> Runner:
    """Ready for its first step, which compiles."""
    set_threads(threads)
    return CompiledRunner(workload)
