"""Optimisers and learning-rate schedules from a run's settings."""

from __future__ import annotations

from collections.abc import Callable

from .. import optim
from ..nn import Module
from ..optim import Optimizer
from ..optim.schedules import (
    CosineAnnealingLR,
    LinearLR,
    LRScheduler,
    OneCycleLR,
    ReduceLROnPlateau,
    StepLR,
)
from .settings import MOMENTUM, Settings

WARM_UP = 0.1  # share of the run
STEP_PARTS = 3  # the rate falls to a tenth after each third
PLATEAU_FACTOR, PLATEAU_PATIENCE = 0.2, 5


def make_optimizer(settings: Settings, module: Module) -> Optimizer:
    """The optimiser the settings name, for all weights of a network."""
    weights = module.parameters()
    rate, decay = settings.lr, settings.weight_decay
    makers: dict[str, Callable[[], Optimizer]] = {
        "adam": lambda: optim.Adam(weights, lr=rate, weight_decay=decay),
        "adamw": lambda: optim.AdamW(weights, lr=rate, weight_decay=decay),
        "nadam": lambda: optim.NAdam(weights, lr=rate, weight_decay=decay),
        "radam": lambda: optim.RAdam(weights, lr=rate, weight_decay=decay),
        "lion": lambda: optim.Lion(weights, lr=rate, weight_decay=decay),
        "lamb": lambda: optim.LAMB(weights, lr=rate, weight_decay=decay),
        "sgd": lambda: optim.SGD(weights, lr=rate, momentum=MOMENTUM, weight_decay=decay),
        "rmsprop": lambda: optim.RMSprop(weights, lr=rate, weight_decay=decay),
        "adagrad": lambda: optim.Adagrad(weights, lr=rate, weight_decay=decay),
        "lbfgs": lambda: optim.LBFGS(weights, lr=rate, line_search_fn="strong_wolfe"),
    }
    return makers[settings.optimizer]()


def make_schedule(settings: Settings) -> Callable[[Optimizer, int], LRScheduler] | None:
    """A function of the optimiser and the number of updates that makes the schedule; None for a constant rate."""
    has_momentum = settings.optimizer in ("adam", "adamw", "nadam", "radam", "lamb", "sgd")
    makers: dict[str, Callable[[Optimizer, int], LRScheduler]] = {
        "one-cycle": lambda optimizer, updates: OneCycleLR(
            optimizer, settings.lr, updates, cycle_momentum=has_momentum
        ),
        "cosine": lambda optimizer, updates: CosineAnnealingLR(optimizer, updates),
        "step": lambda optimizer, updates: StepLR(optimizer, -(-updates // STEP_PARTS)),
        "plateau": lambda optimizer, _: ReduceLROnPlateau(optimizer, factor=PLATEAU_FACTOR, patience=PLATEAU_PATIENCE),
        "warm-up": lambda optimizer, updates: LinearLR(optimizer, total_iters=max(1, round(updates * WARM_UP))),
    }
    return makers.get(settings.schedule)
