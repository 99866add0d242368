"""The NumPy executor: the meaning of the IR."""

from .record import Cotangents, Recording, record
from .run import run

__all__ = ["Cotangents", "Recording", "record", "run"]
