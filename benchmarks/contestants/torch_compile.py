"""PyTorch with forward, backward and optimiser compiled by Inductor, which needs a C++ compiler."""

from __future__ import annotations

import shutil
from typing import Any

from workloads.base import Workload

from .runner import Runner, lacks
from .torch_eager import TorchRunner, set_threads


def missing() -> str:
    """What it lacks here."""
    if absent := lacks("torch"):
        return absent
    return "" if shutil.which("g++") or shutil.which("clang++") else "no C++ compiler, which Inductor needs"


class CompiledTorchRunner(TorchRunner):
    def __init__(self, workload: Workload) -> None:
        super().__init__(workload, {})
        self.compiled_loss = self.torch.compile(workload.torch_loss, dynamic=False)
        self.update = self.torch.compile(self.optimizer.step, dynamic=False)
        self.note = "forward, backward, optimiser"

    def step(self, batch: tuple[Any, ...]) -> Any:
        loss = self.compiled_loss(self.weights, self.buffers, *batch)
        self.optimizer.zero_grad()
        loss.backward()
        self.update()
        return loss


def prepare(workload: Workload, threads: int) -> Runner:
    """Ready for its first step, which compiles."""
    set_threads(threads)
    return CompiledTorchRunner(workload)
