"""What primitives mean: type, NumPy value, derivative, formula, samples. Importing this fills the registry."""

from . import arrays, composite, elementwise, getitem, indexing, linear, operators, reduction, structure

__all__ = [
    "arrays",
    "composite",
    "elementwise",
    "getitem",
    "indexing",
    "linear",
    "operators",
    "reduction",
    "structure",
]
