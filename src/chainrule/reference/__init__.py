"""The NumPy executor: the meaning of the IR."""

from .record import Cotangents, Recording, record
from .run import bind_inputs, run, steps

__all__ = ["Cotangents", "Recording", "bind_inputs", "record", "run", "steps"]
