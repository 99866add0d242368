"""PyTorch, operation by operation. Adam fused or foreach, images channels first or last: whichever is faster here."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable
from typing import Any

from workloads.base import Adam, Workload

from .runner import Runner, lacks


def missing() -> str:
    """What it lacks here."""
    return lacks("torch")


class TorchRunner(Runner):
    """Weights are leaves in a dict; the loss is the workload's own function of them."""

    def __init__(self, workload: Workload, options: dict[str, Any], last: bool = False, dtype: Any = None) -> None:
        import torch

        self.torch, self.workload = torch, workload
        self.format = torch.channels_last if last else torch.contiguous_format
        self.dtype = dtype or torch.float32
        self.first_weights = self._tensors(workload.parameters())
        self.first_buffers = self._tensors(workload.buffers())
        self.weights = {name: tensor.clone().requires_grad_() for name, tensor in self.first_weights.items()}
        self.buffers = {name: tensor.clone() for name, tensor in self.first_buffers.items()}
        data = workload.batched(workload.data())
        self.batches = [tuple(self._tensor(array) for array in batch) for batch in data]
        self.optimizer = make_optimizer(workload, list(self.weights.values()), options)
        self.note = ", ".join([*options, *(["channels last"] if last else [])])

    def _tensors(self, arrays: dict[str, Any]) -> dict[str, Any]:
        return {name: self._tensor(array) for name, array in arrays.items()}

    def _tensor(self, array: Any) -> Any:
        tensor = self.torch.from_numpy(array.copy())
        tensor = tensor.to(self.dtype) if tensor.is_floating_point() else tensor
        return tensor.contiguous(memory_format=self.format) if tensor.ndim == 4 else tensor

    def reset(self) -> None:
        with self.torch.no_grad():
            for name, tensor in self.weights.items():
                tensor.copy_(self.first_weights[name])
            for name, tensor in self.buffers.items():
                tensor.copy_(self.first_buffers[name])
            for state in self.optimizer.state.values():
                for array in state.values():
                    if array is not None:
                        array.zero_()

    def step(self, batch: tuple[Any, ...]) -> Any:
        """Forward, backward, update."""
        loss = self.loss(batch)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

    def loss(self, batch: tuple[Any, ...]) -> Any:
        """Forward."""
        return self.workload.torch_loss(self.weights, self.buffers, *batch)

    def advance(self, steps: int, keep: int = 0) -> list[float]:
        kept, batches = [], itertools.cycle(self.batches)
        for number in range(steps):
            loss = self.step(next(batches))
            if number < keep:
                kept.append(loss.item())
        return kept


def make_optimizer(workload: Workload, weights: list[Any], options: dict[str, Any]) -> Any:
    """PyTorch's own optimiser with the workload's numbers."""
    from torch import optim

    wanted = workload.optimizer
    if not isinstance(wanted, Adam):
        return optim.SGD(weights, lr=wanted.lr, momentum=wanted.momentum, **options)
    arguments: dict[str, Any] = {"lr": wanted.lr, "betas": wanted.betas, "eps": wanted.eps, **options}
    if wanted.decay:
        return optim.AdamW(weights, weight_decay=wanted.decay, **arguments)
    return optim.Adam(weights, **arguments)


def set_threads(threads: int) -> None:
    """PyTorch's threads; more than one pool can be set only before it is used."""
    import torch

    torch.set_num_threads(threads)
    with contextlib.suppress(RuntimeError):
        torch.set_num_interop_threads(1)


def fastest(makers: list[Callable[[], Runner]], seconds: float = 0.3) -> Runner:
    """Try each variant for a short while and keep the best; one at a time, or the memory of all would be counted."""
    times = [_best_time(make(), seconds) for make in makers]
    return makers[times.index(min(times))]()


def _best_time(runner: Runner, seconds: float) -> float:
    runner.advance(2)
    best, end = float("inf"), time.perf_counter() + seconds
    while best == float("inf") or time.perf_counter() < end:
        start = time.perf_counter()
        runner.advance(4)
        best = min(best, time.perf_counter() - start)
    return best


def prepare(workload: Workload, threads: int) -> Runner:
    """The simplest variant, ready for its first step."""
    set_threads(threads)
    return TorchRunner(workload, {"fused": True})


def tune(workload: Workload) -> Runner:
    """The fastest variant, once the first cold step was timed."""
    images = any(array.ndim == 4 for array in workload.data())
    layouts = (False, True) if images else (False,)
    makers = [
        (lambda options=options, last=last: TorchRunner(workload, options, last))
        for options in ({"fused": True}, {"foreach": True}, {"foreach": False})
        for last in layouts
    ]
    return fastest(makers)
