"""Gradient flow while a network is trained: `fit(..., recorders=[cr.explain.FlowRecorder()])`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

import numpy as np

from ..counts import checked_count
from ..errors import ConfigurationError
from ..ir.types import NumpyArray
from ..train import QuietRecorder, Recorded
from .credit import chosen_rows
from .flow import as_flow, flow_rows
from .flow_record import Flow, FlowRow
from .observed import observe
from .run_files import write_flow


class FlowRecorder(QuietRecorder):
    """Records the gradient flow of the first step and of each `every`-th after it, on a probe of the training data.

    The probe passes through a copy of the network in training mode, operation by operation, so one look costs about as
    much as a few eager training steps. `flow` gives what was recorded so far, with what is wrong in it; in a run
    directory the rows are kept as flow.csv.
    """

    name = "flow"

    def __init__(self, every: int = 50, probe: int | tuple[Any, Any] = 64) -> None:
        self.every, self._probe = checked_count("every", every, least=2), probe
        self.rows: list[FlowRow] = []
        self._before: dict[str, NumpyArray] = {}

    def begin(self, run: Recorded, step: int) -> None:
        """Choose the probe; the first step is recorded."""
        given = self._probe
        if isinstance(given, int) and run.data is None:
            raise ConfigurationError("data that comes as a stream have no rows to choose: give FlowRecorder its probe")
        self._examples = chosen_rows(run.data, given) if isinstance(given, int) else chosen_rows(given, None)
        self._training, self._directory = run.training, run.directory
        if step % self.every == 0:
            self._remember()

    def _remember(self) -> None:
        self._before = {path: np.array(each.numpy()) for path, each in self._training.model.named_parameters()}

    def next_look(self, step: int) -> int | None:
        """Before and after each step that is recorded."""
        return step + 1 if step % self.every == 0 else (step // self.every + 1) * self.every

    def look(self, step: int, epoch: int) -> None:
        """Remember the weights, or see how far they have moved."""
        if step % self.every == 0:
            self._remember()
            return
        model = self._training.model
        updates = (
            {path: each.numpy() - self._before[path] for path, each in model.named_parameters()} if self._before else {}
        )
        found = observe(model, self._training.loss, self._examples.inputs, self._examples.targets)
        self.rows.extend(flow_rows(found, model, step, epoch, updates))

    @property
    def flow(self) -> Flow:
        """What was recorded so far."""
        return as_flow(tuple(self.rows))

    def save(self) -> None:
        """Write it into the run directory."""
        if self._directory is not None and self.rows:
            write_flow(self._directory, self.rows)

    def state_dict(self) -> dict[str, Any]:
        """The rows so far, and the weights before a step that is being recorded."""
        return {"rows": [list(astuple(row)) for row in self.rows], "before": self._before}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self.rows = [FlowRow(*row) for row in state["rows"]]
        self._before = {path: np.array(each) for path, each in state["before"].items()}
