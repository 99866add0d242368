"""A training step that runs operation by operation and is checked: what went wrong is told as for native code."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from .. import random
from ..errors import NonFiniteError, TraceError
from ..finite import check_finite
from ..records import dataclass
from ..tensor import Tensor
from .compiled import CompiledSteps, native_step
from .feed import ArrayFeed, Feed
from .step import TrainingStep


@dataclass
class CheckedStep:
    """folder: where a step that is not finite is saved; the weights are then as they were before it.

    feed: where the batches come from.
    """

    training: TrainingStep
    folder: Path | None
    feed: Feed

    def __call__(self, *arrays: Tensor) -> tuple[Tensor, Any]:
        """One step; raises NonFiniteError."""
        before, failed = self._state(), None
        try:
            with check_finite():
                loss, outputs = self.training(*arrays)
            if math.isfinite(loss.item()):
                return loss, outputs
        except NonFiniteError as error:
            failed = error
        self._restore(before)
        with suppress(TraceError):  # what can't be compiled has been told by the operation alone
            self._compiled(arrays)
        if failed is not None:
            raise failed
        return loss, outputs

    def _compiled(self, arrays: tuple[Tensor, ...]) -> None:
        """The same step as native code, whose check follows everything back to its cause and saves the step."""
        if isinstance(self.feed, ArrayFeed):  # so it tells which examples of the data they are
            rows = self.feed.last_rows()
            CompiledSteps(self.training, self.feed.arrays, 1, False, True, self.folder).run(rows, len(rows), None)
        else:
            native_step(self.training, False, 1, True, self.folder)(*arrays)

    def _state(self) -> tuple[Any, Any, Any]:
        training = self.training
        return training.model.state_dict(), training.optimizer.state_dict(), random.default_generator.get_state()

    def _restore(self, state: tuple[Any, Any, Any]) -> None:
        self.training.model.load_state_dict(state[0])
        self.training.optimizer.load_state_dict(state[1])
        random.default_generator.set_state(np.asarray(state[2]))
        self.training.optimizer.zero_grad()
