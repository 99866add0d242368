"""What primitives mean: type, NumPy value, derivative, formula, samples. Importing this fills the registry."""

from . import (
    arrays,
    composite,
    control,
    convolution,
    custom,
    elementwise,
    gathers,
    getitem,
    indexing,
    linear,
    operators,
    pooling,
    random,
    reduction,
    structure,
)

__all__ = [
    "arrays",
    "composite",
    "control",
    "convolution",
    "custom",
    "elementwise",
    "gathers",
    "getitem",
    "indexing",
    "linear",
    "operators",
    "pooling",
    "random",
    "reduction",
    "structure",
]
