"""Optimisers, gradient clipping and learning-rate schedules, with PyTorch's names and formulas."""

from ..errors import unknown_name
from . import lr_scheduler, schedules
from .adadelta import Adadelta
from .adafactor import Adafactor
from .adagrad import Adagrad
from .adam import Adam, AdamW
from .adamax import Adamax
from .asgd import ASGD
from .average import ExponentialMovingAverage
from .clipping import clip_grad_norm_, clip_grad_value_, get_total_norm
from .lamb import LAMB
from .lbfgs import LBFGS
from .lion import Lion
from .muon import Muon
from .nadam import NAdam
from .optimizer import Optimizer
from .radam import RAdam
from .rmsprop import RMSprop
from .rprop import Rprop
from .sgd import SGD

__all__ = [
    "ASGD",
    "LAMB",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "ExponentialMovingAverage",
    "Lion",
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "by_name",
    "clip_grad_norm_",
    "clip_grad_value_",
    "get_total_norm",
    "lr_scheduler",
    "schedules",
]

BY_NAME: dict[str, type[Optimizer]] = {
    each.__name__.lower(): each
    for each in (
        *(SGD, Adam, AdamW, RMSprop, Adagrad, LBFGS, NAdam, RAdam, Adamax, Adadelta, ASGD, Rprop),
        *(Lion, LAMB, Muon, Adafactor),
    )
}


def by_name(name: str) -> type[Optimizer]:
    """The optimiser of that name ("adam", "sgd"); UnknownNameError with the nearest names for another."""
    if name.lower() not in BY_NAME:
        raise unknown_name("optimiser", name, BY_NAME)
    return BY_NAME[name.lower()]
