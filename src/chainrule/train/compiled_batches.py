"""One native call for each batch that comes in: for loaders, whose batches may be of several shapes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import tree
from ..errors import TraceError
from .compiled import native_step, warn_eager
from .step import TrainingStep


class CompiledBatches:
    """The training step as native code, one program for each shape of a batch.

    fallback: the step to take where the network can't be traced; required: that is an error then.
    """

    def __init__(
        self,
        training: TrainingStep,
        fallback: Callable[..., Any],
        threads: int | None,
        required: bool,
        check_finite: bool,
        folder: Path | None,
        memory_limit: int | str | None = None,
    ) -> None:
        self.fallback, self.required = fallback, required
        self.function = native_step(training, True, threads, check_finite, folder, memory_limit)
        self.eager = False
        self._seen: set[Any] = set()

    def __call__(self, *batch: Any) -> Any:
        """(loss, outputs) of one update."""
        if not self.eager:
            try:
                self._prepare(batch)
                return self.function(*batch)
            except TraceError as error:
                if self.required:
                    raise
                warn_eager(error, stacklevel=2)
                self.eager = True
        return self.fallback(*batch)

    def _prepare(self, batch: tuple[Any, ...]) -> None:
        """Compile for the shapes of this batch, if they are new: that is expected here, and no reason to warn."""
        leaves, structure = tree.flatten(batch)
        kinds = (structure, *((leaf.shape, leaf.dtype) for leaf in leaves))
        if kinds not in self._seen:
            self.function.program_for_many(*batch)
            self._seen.add(kinds)
