"""Doors to neighbours: file formats and libraries, each in one file, imported when first used."""

from .safetensors import load_file, read_metadata, save_file

__all__ = ["load_file", "read_metadata", "save_file"]
