"""What of a run is exported: its training step and its prediction as functions of arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import nn
from ..errors import ConfigurationError
from ..nn.evaluation import evaluating
from ..train.compiled import step_function
from ..train.step import TrainingStep
from .losses import loss_for
from .optimisers import make_optimizer
from .problem import number_target
from .runs import OpenedRun


def example(run: OpenedRun, count: int) -> NDArray[np.float32]:
    """Inputs of the shape the network takes."""
    return np.zeros((count, *run.record.network.inputs), np.float32)


def c_routines(run: OpenedRun, batch_size: int) -> dict[str, tuple[Callable[..., Any], tuple[Any, ...]]]:
    """`train`, on a batch, and `predict`, of one example. Moments start afresh, at the run's learning rate.

    Where the run weighs classes, `train` takes the weight of each example as a third input.
    """
    settings, encoder = run.record.settings, run.record.encoder
    if settings.optimizer == "lbfgs":
        raise ConfigurationError("L-BFGS looks at the loss to decide how often to look again, which C can't be given")
    is_classification = number_target(encoder) is None
    run.module.train()
    training = TrainingStep(
        run.module,
        loss_for(is_classification, settings),
        make_optimizer(settings, run.module),
        settings.clip_norm or None,
        precision=settings.precision,
    )
    inputs = example(run, batch_size)
    targets = np.zeros(batch_size, np.int64) if is_classification else np.zeros((batch_size, 1), np.float32)
    given = (inputs, targets, np.ones(batch_size, np.float32)) if settings.class_weight else (inputs, targets)
    step = step_function(training, False)
    train = _weighted(step) if settings.class_weight else step
    return {"train": (train, given), "predict": (_prediction(run.module), (inputs[:1],))}


def _weighted(step: Callable[..., Any]) -> Callable[..., Any]:
    """The step with a name for how much each example counts: what the parameter is called in C."""

    def train(inputs: Any, targets: Any, weights: Any) -> Any:
        return step(inputs, targets, weights)

    return train


def _prediction(module: nn.Module) -> Callable[..., Any]:
    def predict(inputs: Any) -> Any:
        with evaluating(module):
            return module(inputs)

    return predict
