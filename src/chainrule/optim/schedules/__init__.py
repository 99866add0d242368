"""Learning-rate schedules: how the rate changes from epoch to epoch, with PyTorch's names and formulas."""

from ...errors import unknown_name
from .base import LRScheduler
from .cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
from .cyclic import CyclicLR
from .decay import (
    ConstantLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from .one_cycle import OneCycleLR
from .plateau import ReduceLROnPlateau
from .sequence import SequentialLR, with_warmup

__all__ = [
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
    "by_name",
    "with_warmup",
]

BY_NAME: dict[str, type[LRScheduler]] = {
    "constant": ConstantLR,
    "cosine": CosineAnnealingLR,
    "cosine-restarts": CosineAnnealingWarmRestarts,
    "cyclic": CyclicLR,
    "exponential": ExponentialLR,
    "linear": LinearLR,
    "multi-step": MultiStepLR,
    "one-cycle": OneCycleLR,
    "plateau": ReduceLROnPlateau,
    "polynomial": PolynomialLR,
    "step": StepLR,
}


def by_name(name: str) -> type[LRScheduler]:
    """The schedule of that name ("cosine", "one-cycle"); UnknownNameError with the nearest names for another."""
    if name not in BY_NAME:
        raise unknown_name("schedule", name, BY_NAME)
    return BY_NAME[name]
