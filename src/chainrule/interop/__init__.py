"""Doors to neighbours: file formats and libraries, each in one file or folder, imported when first used."""

from typing import TYPE_CHECKING

from .safetensors import load_file, read_metadata, save_file
from .tensorboard import TensorBoard

if TYPE_CHECKING:
    from . import c, onnx, scipy, sklearn

LATER = ("c", "onnx", "scipy", "sklearn")

__all__ = ["TensorBoard", "c", "load_file", "onnx", "read_metadata", "save_file", "scipy", "sklearn"]


def __getattr__(name: str) -> object:
    """These are loaded when they are first used: a training needs none of them."""
    if name not in LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return import_module(f".{name}", __name__)
