"""Credit while a network is trained: `fit(..., recorders=[cr.explain.CreditRecorder()])`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..counts import checked_count, checked_count_or_none
from ..errors import ConfigurationError
from ..train import QuietRecorder, Recorded
from .credit import BUDGET, TOLERANCE, CreditOptions, CreditTaker, ProbeRows, chosen_rows
from .credit_record import Credit, Floats
from .probe import weights_of
from .run_files import write_credit


class CreditRecorder(QuietRecorder):
    """Shares out the change of the loss of a probe among all weights, at each step or each few steps.

    every: weight updates in a span; the weights are taken to move straight from its beginning to its end.
    probe: so many rows of the training data, spread over the classes, or (inputs, targets).
    stop: no more after so many weight updates. tolerance, budget, by_class, by_sample, fit, compile: see `credit`.

    Each span takes up to `budget` gradients of the probe, in float64. Smooth networks need 3 to 9. One with ReLU needs
    about 20 to 60 for a sum that is right to 1e-6, because each example's kinks are looked for; with batches of 64 rows
    and a probe of 256 that is the cost of 80 to 240 training steps a span. `every=10` or more makes it bearable,
    `budget=9` cheap, with a sum that is right to 1e-3 or 1e-4: the residual is always told. `credit` gives what was
    recorded so far; in a run directory it is kept as credit.safetensors.
    """

    name = "credit"

    def __init__(
        self,
        every: int = 1,
        probe: int | tuple[Any, Any] = 256,
        stop: int | None = None,
        *,
        tolerance: float = TOLERANCE,
        budget: float = BUDGET,
        by_class: bool | None = None,
        by_sample: bool = False,
        fit: bool = False,
        compile: bool | None = None,
    ) -> None:
        self.every, self.stop = checked_count("every", every), checked_count_or_none("stop", stop)
        self._probe = probe
        self.options = CreditOptions(tolerance, budget, by_class, by_sample, fit, compile)
        self._taker: CreditTaker | None = None
        self._before: Floats = np.empty(0)
        self._step = 0

    def begin(self, run: Recorded, step: int) -> None:
        """Choose the probe, and remember the weights."""
        training = run.training
        self._taker = CreditTaker(training.model, training.loss, self._rows(run), self.options, run.batch_size)
        self._directory = run.directory
        self._before, self._step = weights_of(training.model), step

    def _rows(self, run: Recorded) -> ProbeRows:
        if not isinstance(self._probe, int):
            return chosen_rows(self._probe, None)
        if run.data is None:
            raise ConfigurationError(
                "data that comes as a stream have no rows to choose: give CreditRecorder its probe"
            )
        return chosen_rows(run.data, self._probe)

    def next_look(self, step: int) -> int | None:
        """At the end of each span."""
        look = (step // self.every + 1) * self.every
        return look if self.stop is None or look <= self.stop else None

    def look(self, step: int, epoch: int) -> None:
        """Take the credit of the span that has just ended."""
        taker = self._known()
        after = weights_of(taker.model)
        taker.take(self._before, after, self._step, step, epoch)
        self._before, self._step = after, step

    def _known(self) -> CreditTaker:
        if self._taker is None:
            raise ConfigurationError("this CreditRecorder has recorded nothing yet: pass it to fit(recorders=[...])")
        return self._taker

    @property
    def credit(self) -> Credit:
        """What was recorded so far."""
        return self._known().ledger.credit()

    def save(self) -> None:
        """Write it into the run directory."""
        if self._directory is not None and self._known().ledger.rows["first"]:
            write_credit(self._directory, self.credit)

    def state_dict(self) -> dict[str, Any]:
        """Everything added so far, and the weights at the beginning of the present span."""
        return {"ledger": self._known().ledger.state_dict(), "before": self._before, "step": self._step}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._known().ledger.load_state_dict(state["ledger"])
        self._before, self._step = np.array(state["before"]), int(state["step"])
