"""Training steps as native code: many batches in one call, so that Python is asked only a few times a second."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..dispatch import compiled_function
from ..errors import TraceError
from ..ir.types import NumpyArray
from ..optim import LBFGS
from ..tensor import Tensor
from .step import TrainingStep

if TYPE_CHECKING:
    from ..compiler.function import Entry

MOST_BYTES = 1 << 24
"""Of the outputs of the steps in one call."""
SECONDS_A_CALL = 0.05
"""How long one call may take: then progress is shown, and Ctrl-C is heard."""


class CompileWarning(UserWarning):
    """A network is trained eagerly because it could not be traced; the message says what stands in the way."""


class CompiledSteps:
    """The steps of one training on arrays in memory."""

    def __init__(self, training: TrainingStep, arrays: tuple[NumpyArray, NumpyArray], threads: int | None) -> None:
        self.arrays = tuple(np.ascontiguousarray(array) for array in arrays)
        self.function = compiled_function(step_function(training), threads)
        self.runs: dict[int, Any] = {}
        self.at_once = 1

    def prepare(self, rows: int) -> Entry:
        """The program for batches of so many rows; compiled if there is none that fits what is now."""
        examples = [np.empty((rows, *array.shape[1:]), array.dtype) for array in self.arrays]
        return self.function.program(*examples)

    def most(self, rows: int) -> int:
        """How many steps the next call may have."""
        entry = self.prepare(rows)
        return max(1, min(self.at_once, MOST_BYTES // max(1, sum(kind.nbytes for kind in entry.result_kinds))))

    def run(self, order: NumpyArray, rows: int, after_step: Callable[[], Any]) -> tuple[NumpyArray, NumpyArray]:
        """Losses (steps,) and outputs (steps, rows, ...) of the steps over `order`; `after_step` moves schedules on."""
        from ..compiler.function import Steps

        entry = self.prepare(rows)
        count = len(order) // rows
        numbers = np.empty((count, len(entry.captured.numbers)))
        for step in range(count):
            numbers[step] = [source.read() for source in entry.captured.numbers]
            after_step()
        known = self.runs.get(rows)
        if known is None or known.entry is not entry:
            known = self.runs[rows] = Steps(entry, self.arrays, rows)
        (losses, outputs), seconds = known.at_once(order, count, numbers)
        self.at_once = max(1, min(count * 4, int(count * SECONDS_A_CALL / max(seconds, 1e-9))))
        return losses, outputs


def step_function(training: TrainingStep) -> Callable[..., Any]:
    """A step that leaves no gradients behind: they need not be written to memory for anyone."""

    def step(inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        loss, outputs = training(inputs, targets)
        training.optimizer.zero_grad()
        return loss, outputs

    return step


def compiled_steps(
    training: TrainingStep, arrays: tuple[NumpyArray, NumpyArray], rows: int, threads: int | None, wanted: bool | None
) -> CompiledSteps | None:
    """Steps as native code, or None to train eagerly.

    wanted: True raises TraceError where the network can't be traced; None then warns and trains eagerly.
    """
    if wanted is False or (wanted is None and isinstance(training.optimizer, LBFGS)):
        return None
    steps = CompiledSteps(training, arrays, threads)
    try:
        steps.prepare(min(rows, len(arrays[0])))
        rest = len(arrays[0]) % rows
        if rest and len(arrays[0]) > rows:
            steps.prepare(rest)
    except TraceError as error:
        if wanted:
            raise
        why = f"this network is trained eagerly, because it can't be compiled: {error}"
        warnings.warn(f"{why}. With compile=False it is no surprise", CompileWarning, stacklevel=4)
        return None
    return steps
