"""Doors to neighbours: file formats and libraries, each in one file, imported when first used."""

from . import c, onnx
from .safetensors import load_file, read_metadata, save_file
from .tensorboard import TensorBoard

__all__ = ["TensorBoard", "c", "load_file", "onnx", "read_metadata", "save_file"]
