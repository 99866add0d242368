"""Optimisers, gradient clipping and learning-rate schedules, with PyTorch's names and formulas."""

from .adam import Adam, AdamW
from .optimizer import Optimizer
from .sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer"]
