"""PyTorch, operation by operation, under its autocast to bfloat16."""

from __future__ import annotations

from typing import Any

from workloads.base import Workload

from .runner import Runner
from .torch_eager import TorchRunner, fastest, missing, set_threads

__all__ = ["missing", "prepare", "tune"]


class Bfloat16Runner(TorchRunner):
    def loss(self, batch: tuple[Any, ...]) -> Any:
        with self.torch.autocast("cpu", dtype=self.torch.bfloat16):
            return super().loss(batch)


def prepare(workload: Workload, threads: int) -> Runner:
    """The simplest variant, ready for its first step."""
    set_threads(threads)
    return Bfloat16Runner(workload, {"fused": True})


def tune(workload: Workload) -> Runner:
    """The fastest variant, once the first cold step was timed."""
    options: tuple[dict[str, Any], ...] = ({"fused": True}, {"foreach": True}, {"foreach": False})
    return fastest([lambda each=each: Bfloat16Runner(workload, each) for each in options])
