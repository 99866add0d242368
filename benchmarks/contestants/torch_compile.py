"""PyTorch compiled by Inductor, which needs a C++ compiler: step in three parts or as one program, whichever is faster.

In three parts forward, backward and PyTorch's optimiser are compiled each by itself, as users do it, with channels
first or last. As one program gradients come from `torch.func` and the update is written out: one call makes a step.
"""

from __future__ import annotations

import shutil
from typing import Any

from workloads.base import Workload

from .runner import Runner, lacks
from .torch_eager import TorchRunner, fastest, set_threads
from .update import first_moments, updated


def missing() -> str:
    """What it lacks here."""
    if absent := lacks("torch"):
        return absent
    return "" if shutil.which("g++") or shutil.which("clang++") else "no C++ compiler, which Inductor needs"


class PartsRunner(TorchRunner):
    def __init__(self, workload: Workload, last: bool = False) -> None:
        super().__init__(workload, {}, last)
        self.compiled_loss = self.torch.compile(workload.torch_loss, dynamic=False)
        self.update = self.torch.compile(self.optimizer.step, dynamic=False)
        self.note = f"forward, backward, optimiser{', channels last' if last else ''}"

    def step(self, batch: tuple[Any, ...]) -> Any:
        loss = self.compiled_loss(self.weights, self.buffers, *batch)
        self.optimizer.zero_grad()
        loss.backward()
        self.update()
        return loss


class WholeRunner(TorchRunner):
    """For workloads without running statistics."""

    def __init__(self, workload: Workload) -> None:
        super().__init__(workload, {})
        self.weights = {name: tensor.clone() for name, tensor in self.first_weights.items()}
        self.moments = first_moments(workload, self.weights, self.torch.zeros_like)
        self.count = self.torch.zeros(())
        self.compiled = self.torch.compile(self.whole, dynamic=False, fullgraph=True)
        self.note = "one program"

    def whole(self, weights: dict[str, Any], moments: dict[str, Any], count: Any, *batch: Any) -> Any:
        """One step, in place."""
        torch, workload = self.torch, self.workload
        gradients, loss = torch.func.grad_and_value(lambda given: workload.torch_loss(given, {}, *batch))(weights)
        count.add_(1)
        new = updated(workload, weights, moments, gradients, count, torch.sqrt, torch.expm1)
        for kept, found in zip((weights, moments), new):
            for name, tensor in kept.items():
                tensor.copy_(found[name])
        return loss

    def step(self, batch: tuple[Any, ...]) -> Any:
        with self.torch.no_grad():
            return self.compiled(self.weights, self.moments, self.count, *batch)

    def reset(self) -> None:
        super().reset()
        for tensor in (*self.moments.values(), self.count):
            tensor.zero_()


def prepare(workload: Workload, threads: int) -> Runner:
    """Ready for its first step, which compiles."""
    set_threads(threads)
    return PartsRunner(workload)


def tune(workload: Workload) -> Runner:
    """The fastest variant, once the first cold step was timed."""
    images = any(array.ndim == 4 for array in workload.data())
    makers: list[Any] = [lambda: PartsRunner(workload)]
    makers += [lambda: PartsRunner(workload, last=True)] if images else []
    makers += [] if workload.buffers() else [lambda: WholeRunner(workload)]
    return fastest(makers)
