"""Optimisers, gradient clipping and learning-rate schedules, with PyTorch's names and formulas."""

from ..errors import unknown_name
from . import lr_scheduler, schedules
from .adagrad import Adagrad
from .adam import Adam, AdamW
from .clipping import clip_grad_norm_, clip_grad_value_, get_total_norm
from .lbfgs import LBFGS
from .optimizer import Optimizer
from .rmsprop import RMSprop
from .sgd import SGD

__all__ = [
    "LBFGS",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Optimizer",
    "RMSprop",
    "by_name",
    "clip_grad_norm_",
    "clip_grad_value_",
    "get_total_norm",
    "lr_scheduler",
    "schedules",
]

BY_NAME: dict[str, type[Optimizer]] = {
    each.__name__.lower(): each for each in (SGD, Adam, AdamW, RMSprop, Adagrad, LBFGS)
}


def by_name(name: str) -> type[Optimizer]:
    """The optimiser of that name ("adam", "sgd"); UnknownNameError with the nearest names for another."""
    if name.lower() not in BY_NAME:
        raise unknown_name("optimiser", name, BY_NAME)
    return BY_NAME[name.lower()]
