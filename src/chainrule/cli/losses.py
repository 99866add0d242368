"""What a run makes small."""

from __future__ import annotations

from .. import nn
from .problem import Problem
from .settings import Settings


def loss_of(problem: Problem, settings: Settings) -> nn.Module:
    """For the targets of a problem."""
    return loss_for(problem.is_classification, settings)


def loss_for(is_classification: bool, settings: Settings) -> nn.Module:
    """For classes, or for numbers."""
    if is_classification:
        return nn.CrossEntropyLoss(label_smoothing=settings.label_smoothing)
    return nn.MSELoss()
