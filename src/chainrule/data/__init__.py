"""Data sets from arrays, tables, image folders, text and streams; mini-batches in an order fixed by seed; real digits.

Tables, images and their transforms are imported when first used, so that `import chainrule` stays fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .batches import Batches, Position, batches
from .buckets import Buckets, mask, pad
from .digits import digits, load_digits, load_zip_digits
from .loader import Loader, loader
from .order import permutation
from .resize import resize
from .sources import Source
from .split import split
from .stream import stream
from .weights import class_weights, example_weights

if TYPE_CHECKING:
    from .augment import ColorJitter, Cutout, Flip, Mixup, RandomCrop, Rotate, Scale, Transform
    from .bpe import BytePairTokenizer
    from .encoder import TableEncoder
    from .image_encoder import ImageEncoder
    from .image_sequence import ImageFiles, image_files
    from .images import ImageFolder, read_image, read_image_folder
    from .predictions import Predictions
    from .read import read_table, stream_table
    from .rows_of_table import TableRows, table_rows
    from .table import Table, table_from_columns
    from .text import ByteTokenizer, CharacterTokenizer, Tokenizer, WordTokenizer
    from .tokenizers import load_tokenizer

LATER = {
    "ColorJitter": "augment",
    "Cutout": "augment",
    "Flip": "augment",
    "Mixup": "augment",
    "RandomCrop": "augment",
    "Rotate": "augment",
    "Scale": "augment",
    "Transform": "augment",
    "BytePairTokenizer": "bpe",
    "ByteTokenizer": "text",
    "CharacterTokenizer": "text",
    "ImageFiles": "image_sequence",
    "TableRows": "rows_of_table",
    "Tokenizer": "text",
    "WordTokenizer": "text",
    "image_files": "image_sequence",
    "load_tokenizer": "tokenizers",
    "table_rows": "rows_of_table",
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
    "Buckets",
    "BytePairTokenizer",
    "ByteTokenizer",
    "CharacterTokenizer",
    "ColorJitter",
    "Cutout",
    "Flip",
    "ImageEncoder",
    "ImageFiles",
    "ImageFolder",
    "Loader",
    "Mixup",
    "Position",
    "Predictions",
    "RandomCrop",
    "Rotate",
    "Scale",
    "Source",
    "Table",
    "TableEncoder",
    "TableRows",
    "Tokenizer",
    "Transform",
    "WordTokenizer",
    "batches",
    "class_weights",
    "digits",
    "example_weights",
    "image_files",
    "load_digits",
    "load_tokenizer",
    "load_zip_digits",
    "loader",
    "mask",
    "pad",
    "permutation",
    "read_image",
    "read_image_folder",
    "read_table",
    "resize",
    "split",
    "stream",
    "stream_table",
    "table_from_columns",
    "table_rows",
]


def __getattr__(name: str) -> object:
    if name not in LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f".{LATER[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *LATER})
