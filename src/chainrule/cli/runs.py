"""A run, opened again: its network with its weights, and the data it held out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..errors import ChainruleError, CheckpointError, DataError
from ..nn import Module
from ..train.evaluate import predict
from ..train.run_directory import RunDirectory
from .networks import build
from .problem import Examples, Problem, load
from .record import Record


@dataclass(frozen=True, eq=False)
class OpenedRun:
    """A run directory's record, and its network as it was last saved."""

    path: Path
    record: Record
    module: Module

    def outputs(self, inputs: NDArray[Any]) -> NDArray[Any]:
        """The network's outputs, before softmax."""
        found: NDArray[Any] = predict(self.module, inputs)
        return found

    def held_out(self) -> tuple[str, Examples]:
        """The examples kept out of training, and what they are called."""
        problem = load_unchanged(self.record)
        return judged_by(problem)


def open_run(path: Path) -> OpenedRun:
    """Read a run directory; raises CheckpointError where it is none, or damaged."""
    record = Record.read(path)
    module = build(record.network)
    try:
        module.load_state_dict(RunDirectory(path).load_model())
    except CheckpointError:
        raise
    except ChainruleError as error:
        raise CheckpointError(f"the weights in {path} are not of this network: {error}") from error
    return OpenedRun(path, record, module)


def load_unchanged(record: Record) -> Problem:
    """The run's data again; raises DataError where they are not what they were."""
    if record.source.path and not Path(record.source.path).exists():
        raise DataError(
            f"{record.source.path}, which the run was trained on, is not there any more: put it back, or name data to "
            "evaluate on, or start a new run"
        )
    problem = load(record.source)
    if problem.fingerprint() != record.fingerprint:
        raise DataError(
            f"{record.source.path or record.source.name} has changed since the run was started, so its examples can't "
            "be told apart as they were: put the old data back, or name data to evaluate on, or start a new run"
        )
    return problem


def judged_by(problem: Problem) -> tuple[str, Examples]:
    """The examples a problem's network is measured on: the test, else the validation, else the training examples."""
    if problem.test is not None:
        return "Test", problem.test
    if problem.validation is not None:
        return "Validation", problem.validation
    return "Training", problem.training
