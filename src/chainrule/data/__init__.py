"""Data sets from arrays, tables and image folders; mini-batches in an order fixed by seed; real digits to train on.

Tables and images are imported when first used, so that `import chainrule` stays fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .batches import Batches, Position, batches
from .digits import digits, load_digits, load_zip_digits
from .order import permutation
from .resize import resize
from .split import split
from .stream import stream
from .weights import class_weights, example_weights

if TYPE_CHECKING:
    from .encoder import TableEncoder
    from .image_encoder import ImageEncoder
    from .images import ImageFolder, read_image, read_image_folder
    from .predictions import Predictions
    from .read import read_table, stream_table
    from .table import Table, table_from_columns

LATER = {
    "ImageEncoder": "image_encoder",
    "ImageFolder": "images",
    "Predictions": "predictions",
    "Table": "table",
    "TableEncoder": "encoder",
    "read_image": "images",
    "read_image_folder": "images",
    "read_table": "read",
    "stream_table": "read",
    "table_from_columns": "table",
}

__all__ = [
    "Batches",
    "ImageEncoder",
    "ImageFolder",
    "Position",
    "Predictions",
    "Table",
    "TableEncoder",
    "batches",
    "class_weights",
    "digits",
    "example_weights",
    "load_digits",
    "load_zip_digits",
    "permutation",
    "read_image",
    "read_image_folder",
    "read_table",
    "resize",
    "split",
    "stream",
    "stream_table",
    "table_from_columns",
]


def __getattr__(name: str) -> object:
    if name not in LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f".{LATER[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *LATER})
