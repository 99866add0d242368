"""The five lines of a training step, for tests that look at something else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import chainrule as cr
from chainrule import nn, optim


def step_of(
    model: nn.Module,
    optimizer: optim.Optimizer,
    loss_of: Callable[[Any, Any], Any] = nn.functional.cross_entropy,
) -> Callable[[Any, Any], cr.Tensor]:
    """A function that makes one step and gives its loss."""

    def step(inputs: Any, targets: Any) -> cr.Tensor:
        loss: cr.Tensor = loss_of(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step
