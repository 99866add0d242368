"""PyTorch's name for `chainrule.optim.schedules`."""

from .schedules import *  # noqa: F403
from .schedules import __all__ as __all__
