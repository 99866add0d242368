"""A probe: the loss of a network on fixed examples as a function of its weights, with gradients, all in float64.

It works on a copy in evaluation mode, so the network that is trained, its running statistics and its random numbers
stay as they are. The loss of the probe is the mean over its examples, as `evaluate` takes it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import nn, random
from ..dispatch import compiled_function
from ..errors import DataError, TraceError
from ..ir.types import NumpyArray, float64
from ..tensor import Tensor
from .credit_record import Floats

MOST_ROWS = 512
"""Rows of the probe in one evaluation: more are taken in parts."""
WORTH_COMPILING = 1e6
"""Weights times rows: below, compiling takes longer than it saves."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The probe at one point: each group's part of the mean loss (G,), and of its gradient by all weights (G, N)."""

    losses: Floats
    gradients: Floats

    @property
    def loss(self) -> float:
        """The loss of the whole probe."""
        return float(self.losses.sum())


def moving_tensors(network: nn.Module) -> dict[str, Tensor]:
    """What a step may move and the loss may depend on: parameters and floating buffers, by path."""
    named = [*network.named_parameters(), *network.named_buffers()]
    return {path: each for path, each in named if each.dtype.kind == "f"}


def weights_of(network: nn.Module) -> Floats:
    """All that moves as one vector, float64 (N,)."""
    parts = [each.numpy().ravel() for each in moving_tensors(network).values()]
    return np.concatenate([np.empty(0), *parts]).astype(np.float64)


class Probe:
    """Rows of examples in groups (classes, single examples, or all in one), and a network's float64 copy."""

    def __init__(
        self,
        network: nn.Module,
        loss: Callable[..., Any],
        inputs: NumpyArray,
        targets: NumpyArray,
        groups: Sequence[NumpyArray],
        compile: bool | None = None,
    ) -> None:
        self.network = copy.deepcopy(network).eval()
        self.loss = copy.deepcopy(loss).to(float64) if isinstance(loss, nn.Module) else loss
        self.tensors = moving_tensors(self.network)
        for tensor in self.tensors.values():
            tensor.recast(float64)
            tensor.requires_grad_(True)
        self.inputs, self.targets = _double(inputs), _double(targets)
        self.groups = groups
        self.sizes = [each.size for each in self.tensors.values()]
        self._native: dict[int, Callable[..., Any]] = {}
        self._compiles = False
        if compile or (compile is None and sum(self.sizes) * len(inputs) > WORTH_COMPILING):
            self._compile(needed=bool(compile))

    def _compile(self, needed: bool) -> None:
        rows = np.arange(len(self.inputs))[: min(len(self.groups[0]), MOST_ROWS)]
        try:
            self._step(len(rows), native=True).program_for_many(self.inputs[rows], self.targets[rows])
        except TraceError:
            if needed:
                raise
            self._native.clear()
            return
        self._compiles = True

    def _step(self, rows: int, native: bool) -> Any:
        """The step for batches of so many rows: classes differ in size, which is no news to warn of."""
        if not native:
            return self._eager
        if rows not in self._native:
            self._native[rows] = compiled_function(self._eager)
        return self._native[rows]

    def _eager(self, inputs: Any, targets: Any) -> tuple[Tensor, list[Tensor]]:
        for tensor in self.tensors.values():
            tensor.grad = None
        loss = self.loss(self.network(inputs), targets)
        loss.backward()
        gradients = [_gradient(tensor) for tensor in self.tensors.values()]
        for tensor in self.tensors.values():
            tensor.grad = None
        return loss, gradients

    def at(self, weights: Floats) -> Evaluation:
        """The probe where the network has these weights (N,)."""
        with random.kept():
            self._move_to(weights)
            found = [self._group(rows) for rows in self.groups]
        return Evaluation(np.array([loss for loss, _ in found]), np.stack([gradient for _, gradient in found]))

    def _move_to(self, weights: Floats) -> None:
        for tensor, part in zip(self.tensors.values(), self.split(weights)):
            tensor.assign(np.array(part).reshape(tensor.shape))

    def split(self, vector: Floats) -> list[Floats]:
        """A vector over all weights as one part a tensor; of an array (..., N), its last axis."""
        return np.split(vector, np.cumsum(self.sizes)[:-1], axis=-1)

    def _group(self, rows: NumpyArray) -> tuple[float, Floats]:
        error, gradient = 0.0, np.zeros(sum(self.sizes))
        for start in range(0, len(rows), MOST_ROWS):
            part = rows[start : start + MOST_ROWS]
            share = len(part) / len(self.inputs)
            step = self._step(len(part), self._compiles)
            loss, gradients = step(Tensor(self.inputs[part]), Tensor(self.targets[part]))
            _check(loss)
            error += share * loss.item()
            gradient += share * np.concatenate([each.numpy().ravel() for each in gradients])
        return error, gradient


def _double(array: NumpyArray) -> NumpyArray:
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _gradient(tensor: Tensor) -> Tensor:
    return tensor.grad if tensor.grad is not None else Tensor(np.zeros(tensor.shape))


def _check(loss: Tensor) -> None:
    if loss.shape != () or not np.isfinite(loss.item()):
        raise DataError(
            f"credit needs a loss that is one finite number for a batch, but it is {loss.numpy()!r} on the probe"
        )
