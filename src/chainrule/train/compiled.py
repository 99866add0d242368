"""Training steps as native code: many batches in one call, so that Python is asked only a few times a second."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import tree
from ..dispatch import compiled_function
from ..errors import TraceError
from ..ir.types import NumpyArray
from ..optim import LBFGS
from ..tensor import Tensor
from .step import TrainingStep

if TYPE_CHECKING:
    from ..compiler.running.epoch import Steps
    from ..compiler.running.function import CompiledFunction

MOST_BYTES = 1 << 24
"""Of the outputs of the steps in one call."""


class CompileWarning(UserWarning):
    """A network is trained eagerly because it could not be traced; the message says what stands in the way."""


class CompiledSteps:
    """The steps of one training on arrays in memory. outputs: whether those of the network are wanted."""

    def __init__(
        self,
        training: TrainingStep,
        arrays: tuple[NumpyArray, ...],
        threads: int | None,
        outputs: bool,
        check_finite: bool = False,
        folder: Path | None = None,
        memory_limit: int | str | None = None,
    ) -> None:
        self.arrays = tuple(np.ascontiguousarray(array) for array in arrays)
        self.outputs = outputs
        self.function = native_step(training, outputs, threads, check_finite, folder, memory_limit)

    def prepare(self, rows: int) -> Steps:
        """The steps on batches of so many rows; compiled if there are none that fit what is now."""
        from ..compiler.running.epoch import steps_of

        return steps_of(self.function.program_for_rows(self.arrays, rows))

    def most(self, rows: int) -> int:
        """How many steps the next call may have: as many as take about a twentieth of a second."""
        steps = self.prepare(rows)
        return max(1, min(steps.at_once(), MOST_BYTES // max(1, sum(kind.nbytes for kind in steps.entry.result_kinds))))

    def run(self, order: NumpyArray, rows: int, after_step: Callable[[], Any] | None) -> tuple[NumpyArray, Any]:
        """Losses (steps,) and outputs (steps, rows, ...), nested as the network gives them, of the steps over `order`.

        after_step: moves the options of the optimiser on from one step to the next; None where they stay.
        """
        steps = self.prepare(rows)
        count = len(order) // rows
        sources = steps.entry.captured.numbers
        numbers = np.empty((count, len(sources)))
        if after_step is None:
            numbers[:] = [source.read() for source in sources]
        else:
            for step in range(count):
                numbers[step] = [source.read() for source in sources]
                after_step()
        results = steps.once(self.arrays, order, count, numbers)
        if not self.outputs:
            return results[0], None
        losses, outputs = tree.unflatten(steps.entry.captured.result_structure, results)
        return losses, outputs


def native_step(
    training: TrainingStep,
    outputs: bool,
    threads: int | None,
    check_finite: bool = False,
    folder: Path | None = None,
    memory_limit: int | str | None = None,
) -> CompiledFunction:
    """The step of a training as a native program. outputs: whether it gives those of the network, behind the loss."""
    function = compiled_function(step_function(training, outputs), threads, check_finite, memory_limit)
    function.folder = folder
    function.result_names = ("the loss", "the output of the network") if outputs else ("the loss",)
    return function


def step_function(training: TrainingStep, outputs: bool) -> Callable[..., Any]:
    """A step that leaves no gradients behind: they need not be written to memory for anyone."""

    def step(inputs: Tensor, targets: Tensor, *weights: Tensor) -> Any:
        loss, predictions = training(inputs, targets, *weights)
        training.optimizer.zero_grad()
        return (loss, predictions) if outputs else loss

    return step


def compiled_steps(
    training: TrainingStep,
    arrays: tuple[NumpyArray, ...],
    rows: int,
    threads: int | None,
    wanted: bool | None,
    outputs: bool,
    check_finite: bool = False,
    folder: Path | None = None,
    memory_limit: int | str | None = None,
) -> CompiledSteps | None:
    """Steps as native code, or None to train eagerly.

    check_finite, memory_limit: see `fit`; folder: where a step that is not finite is saved.
    wanted: True raises TraceError where the network can't be traced; None then warns and trains eagerly.
    """
    if stays_eager(wanted, training):
        return None
    steps = CompiledSteps(training, arrays, threads, outputs, check_finite, folder, memory_limit)
    try:
        steps.prepare(min(rows, len(arrays[0])))
        rest = len(arrays[0]) % rows
        if rest and len(arrays[0]) > rows:
            steps.prepare(rest)
    except TraceError as error:
        if wanted:
            raise
        warn_eager(error, stacklevel=3)
        return None
    return steps


def stays_eager(wanted: bool | None, training: TrainingStep) -> bool:
    """Whether native code isn't tried: it isn't wanted, or it can't be had, and nobody asks for the error."""
    return wanted is False or (wanted is None and isinstance(training.optimizer, LBFGS))


def warn_eager(error: TraceError, stacklevel: int) -> None:
    """Say that a network is trained eagerly. stacklevel: as of `warnings.warn`, for the function that calls this."""
    why = f"this network is trained eagerly, because it can't be compiled: {error}"
    warnings.warn(f"{why}. With compile=False it is no surprise", CompileWarning, stacklevel=stacklevel + 1)
