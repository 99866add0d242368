"""`--record` and `--tensorboard`: what a run keeps of the way its weights took, for `explain`, `report`, dashboards.

The choice is kept in the run directory, so that `--resume` goes on with it where it stopped. Recorders only read: the
weights have the same bits with them and without.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import CheckpointError, unknown_name
from ..files import write_json
from ..train import Recorder
from .problem import Problem
from .settings import Settings

FILE = "records.json"
CREDIT, FLOW = "credit", "flow"
KINDS = (CREDIT, FLOW)
SPANS = 50
"""Into so many spans of steps the credit of a training is cut, about."""
FLOW_LOOKS = 40
PROBE = 100
"""Examples whose loss is shared out."""
SMALL = 10_000
"""Weights up to which each example's kinks are looked for; in larger networks that takes long, and what is left over
without it is told."""
CHEAP = 12.0


@dataclass(frozen=True)
class Records:
    """What to record. tensorboard: where event files go; "" for none."""

    kinds: tuple[str, ...] = ()
    tensorboard: str = ""

    def __post_init__(self) -> None:
        for kind in self.kinds:
            if kind not in KINDS:
                raise unknown_name("record", kind, KINDS)

    def write(self, run: Path) -> None:
        """Keep the choice in the run directory, where there is one."""
        if self.kinds or self.tensorboard:
            write_json(run / FILE, asdict(self))

    @classmethod
    def read(cls, run: Path) -> Records:
        """The choice that a run was started with."""
        path = run / FILE
        if not path.exists():
            return cls()
        try:
            state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return cls(tuple(state["kinds"]), state["tensorboard"])
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{path} is damaged: {error!r}") from error


def recorders(records: Records, problem: Problem, settings: Settings, weights: int) -> Sequence[Recorder]:
    """The recorders that were asked for, each looking about as often whatever the length of the training."""
    if not records.kinds and not records.tensorboard:
        return ()
    from ..explain import CreditRecorder, FlowRecorder
    from ..interop import TensorBoard
    from ..reports.credit import BUDGET, chosen_rows

    updates = _updates(settings, problem.count)
    rows = chosen_rows(problem.training.pair, PROBE)
    probe = (rows.inputs, rows.targets)
    found: list[Recorder] = []
    if CREDIT in records.kinds:
        budget = BUDGET if weights <= SMALL else CHEAP
        found.append(CreditRecorder(max(1, updates // SPANS), probe, budget=budget))
    if FLOW in records.kinds:
        found.append(FlowRecorder(max(2, updates // FLOW_LOOKS), probe))
    if records.tensorboard:
        found.append(TensorBoard(records.tensorboard))
    return found


def _updates(settings: Settings, rows: int) -> int:
    """Weight updates of the whole training, where nothing ends it early."""
    return settings.epochs * -(-rows // settings.examples_an_update(rows))
