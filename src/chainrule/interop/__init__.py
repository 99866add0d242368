"""Doors to neighbours: file formats and libraries, each in one file or folder, imported when first used."""

from typing import TYPE_CHECKING

from .safetensors import load_file, read_metadata, save_file
from .tensorboard import TensorBoard

if TYPE_CHECKING:
    from . import c, onnx

__all__ = ["TensorBoard", "c", "load_file", "onnx", "read_metadata", "save_file"]


def __getattr__(name: str) -> object:
    """C and ONNX are loaded when they are first used: a training needs neither."""
    if name not in ("c", "onnx"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return import_module(f".{name}", __name__)
