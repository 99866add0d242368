"""One native call for each batch that comes in: for loaders, whose batches may be of several shapes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from ..dispatch import compiled_function
from ..errors import TraceError
from .compiled import CompileWarning
from .step import TrainingStep


class CompiledBatches:
    """The training step as native code, one program for each shape of a batch."""

    def __init__(
        self, training: TrainingStep, threads: int | None, required: bool, check_finite: bool, folder: Any
    ) -> None:
        def step(*batch: Any) -> Any:
            loss, predictions = training(*batch)
            training.optimizer.zero_grad()
            return loss, predictions

        self.training, self.required = training, required
        self.function = compiled_function(step, threads, check_finite)
        self.function.folder = None if folder is None else Path(folder)
        self.function.result_names = ("the loss", "the output of the network")
        self.eager = False

    def __call__(self, *batch: Any) -> Any:
        """(loss, outputs) of one update."""
        if not self.eager:
            try:
                self.function.program(*batch)  # a new shape is expected here, and no reason to warn
            except TraceError as error:
                if self.required:
                    raise
                why = f"this network is trained eagerly, because it can't be compiled: {error}"
                warnings.warn(f"{why}. With compile=False it is no surprise", CompileWarning, stacklevel=2)
                self.eager = True
        return self.training(*batch) if self.eager else self.function(*batch)
