"""Data sets from arrays, tables and image folders; mini-batches in an order fixed by seed; real digits to train on."""

from .batches import Batches, Position, batches
from .digits import digits, load_digits, load_zip_digits
from .order import permutation
from .resize import resize
from .split import split
from .stream import stream

__all__ = [
    "Batches",
    "Position",
    "batches",
    "digits",
    "load_digits",
    "load_zip_digits",
    "permutation",
    "resize",
    "split",
    "stream",
]
