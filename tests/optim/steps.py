"""Steps of an optimiser, ours or PyTorch's, on two parameters; and what holds for every optimiser that makes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import optim

Array = np.ndarray[Any, Any]


def loss_of(library: Any, first: Any, second: Any) -> Any:
    return (first * first * first * 0.1 + library.sin(first * 2)).sum() + library.exp(second * 0.3).sum()


def gradients_at(first: Array, second: Array) -> tuple[Array, Array]:
    return 0.3 * first**2 + 2 * np.cos(2 * first), 0.3 * np.exp(0.3 * second)


def take_steps(optimizer: Any, library: Any, parameters: list[Any], count: int, first: int = 0) -> None:
    """Steps in which the second parameter has no gradient every third time."""
    for number in range(first, first + count):
        optimizer.zero_grad()
        loss_of(library, *parameters).backward()
        if number % 3 == 1:
            parameters[1].grad = None
        optimizer.step()


def assert_goes_on_from_pytorch(name: str, options: dict[str, Any], start: Sequence[Array], tolerance: float) -> None:
    """A state dict of PyTorch's loads, and the next steps are PyTorch's."""
    torch = pytest.importorskip("torch")
    theirs = [torch.nn.Parameter(torch.tensor(each)) for each in start]
    expected = getattr(torch.optim, name)(theirs, **options)
    take_steps(expected, torch, theirs, 4)
    ours: list[Any] = [cr.Parameter(each.detach().numpy()) for each in theirs]
    optimizer = getattr(optim, name)(ours, **options)
    optimizer.load_state_dict(expected.state_dict())
    take_steps(optimizer, cr, ours, 4, first=4)
    take_steps(expected, torch, theirs, 4, first=4)
    for mine, other in zip(ours, theirs):
        np.testing.assert_allclose(mine.numpy(), other.detach().numpy(), rtol=tolerance, atol=tolerance)


def assert_resumes(name: str, options: dict[str, Any], start: Sequence[Array]) -> None:
    """An optimiser restored from a state dict goes on with the same bits."""
    straight: list[Any] = [cr.Parameter(each.astype(np.float32)) for each in start]
    optimizer = getattr(optim, name)(straight, **options)
    take_steps(optimizer, cr, straight, 5)
    resumed: list[Any] = [cr.Parameter(each.numpy()) for each in straight]
    again = getattr(optim, name)(resumed, lr=7.0)
    again.load_state_dict(optimizer.state_dict())
    for made, other in ((optimizer, straight), (again, resumed)):
        take_steps(made, cr, other, 5, first=5)
    for first, second in zip(straight, resumed):
        assert first.numpy().tobytes() == second.numpy().tobytes()
