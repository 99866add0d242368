"""What one would answer without having learned anything: the most frequent class, or the mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.target import NumberTarget
from ..errors import CheckpointError
from .problem import Encoder, Problem, number_target
from .results import Result, class_result, number_result


@dataclass(frozen=True)
class Baseline:
    """From the training targets: how often each class occurs (empty for numbers), and the mean (0 for classes)."""

    counts: tuple[int, ...] = ()
    mean: float = 0.0

    @classmethod
    def of(cls, problem: Problem) -> Baseline:
        targets, target = problem.training.targets, number_target(problem.encoder)
        if target is None:
            return cls(counts=tuple(np.bincount(targets, minlength=problem.outputs).tolist()))
        return cls(mean=float(in_own_units(target, targets).mean()))

    def to_dict(self) -> dict[str, Any]:
        return {"counts": list(self.counts), "mean": self.mean}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Baseline:
        """The inverse of `to_dict`; raises CheckpointError on anything else."""
        try:
            return cls(tuple(int(count) for count in state["counts"]), float(state["mean"]))
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"the saved baseline is damaged: {error!r}") from error


def judge(encoder: Encoder, outputs: NDArray[Any], targets: NDArray[Any], baseline: Baseline) -> Result:
    """How good a network's outputs are, in the user's own terms; raises DataError where there are no examples."""
    target = number_target(encoder)
    predictions = encoder.decode(outputs)
    if target is not None:
        predicted = np.asarray(predictions.values, dtype=np.float64)
        return number_result(predicted, in_own_units(target, targets), target.name, baseline.mean)
    probabilities = np.asarray(predictions.probabilities, dtype=np.float64)
    return class_result(probabilities, targets, predictions.classes, np.asarray(baseline.counts, dtype=np.int64))


def in_own_units(target: NumberTarget, targets: NDArray[Any]) -> NDArray[np.float64]:
    """Scaled number targets (n, 1) as the numbers they were, float64 (n,)."""
    return target.scale.decode(targets.astype(np.float64))[:, 0]
