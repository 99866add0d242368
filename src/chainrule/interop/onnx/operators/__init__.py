"""ONNX's operators as functions of arrays, by theme. Those that ONNX defines by others need no function here."""

from . import (
    activation,
    control,
    elementwise,
    indexing,
    linear,
    normalization,
    pooling,
    quantised,
    recurrent,
    reduction,
    resize,
    sampling,
    sequences,
    signal,
    structure,
    vision,
    windows,
)
from .unsupported import UNSUPPORTED

__all__ = [
    "UNSUPPORTED",
    "activation",
    "control",
    "elementwise",
    "indexing",
    "linear",
    "normalization",
    "pooling",
    "quantised",
    "recurrent",
    "reduction",
    "resize",
    "sampling",
    "sequences",
    "signal",
    "structure",
    "vision",
    "windows",
]
