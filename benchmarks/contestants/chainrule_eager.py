"""Chainrule, operation by operation on NumPy: the meaning of the step."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from workloads.base import Adam, Workload

from .runner import Runner, lacks


def missing() -> str:
    """What it lacks here."""
    return lacks("chainrule")


class ChainruleRunner(Runner):
    """The code a user writes: model, optimiser, a step."""

    def __init__(self, workload: Workload, threads: int) -> None:
        import chainrule as cr

        self.cr, self.workload, self.threads = cr, workload, threads
        self.model = workload.chainrule_model()
        self.optimizer = make_optimizer(workload, self.model)
        self.first = {**self.model.state_dict(), **workload.parameters(), **workload.buffers()}
        self.model.load_state_dict(self.first)  # complains about names that do not fit
        self.data = workload.data()
        self.call: Any = self.step
        self.prepare_data()

    def prepare_data(self) -> None:
        """The batches, as tensors."""
        self.batches = [tuple(map(self.cr.tensor, batch)) for batch in self.workload.batched(self.data)]

    def reset(self) -> None:
        self.model.load_state_dict(self.first)
        for state in self.optimizer.state.values():
            for moment in state.values():
                moment.assign(np.zeros(moment.shape, moment.dtype))

    def step(self, *batch: Any) -> Any:
        """Forward, backward, update."""
        loss = self.loss(*batch)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

    def loss(self, *batch: Any) -> Any:
        """Forward."""
        return self.workload.chainrule_loss(self.model, *batch)

    def advance(self, steps: int, keep: int = 0) -> list[float]:
        kept, batches, step = [], itertools.cycle(self.batches), self.call
        for number in range(steps):
            loss = step(*next(batches))
            if number < keep:
                kept.append(loss.item())
        return kept


def make_optimizer(workload: Workload, model: Any) -> Any:
    """Chainrule's optimiser with the workload's numbers."""
    from chainrule import optim

    wanted = workload.optimizer
    if not isinstance(wanted, Adam):
        return optim.SGD(model.parameters(), lr=wanted.lr, momentum=wanted.momentum)
    arguments: dict[str, Any] = {"lr": wanted.lr, "betas": wanted.betas, "eps": wanted.eps}
    if wanted.decay:
        return optim.AdamW(model.parameters(), weight_decay=wanted.decay, **arguments)
    return optim.Adam(model.parameters(), **arguments)


def prepare(workload: Workload, threads: int) -> Runner:
    """Ready for its first step. NumPy takes its number of threads from the environment."""
    return ChainruleRunner(workload, threads)
