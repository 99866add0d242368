"""What `__array_namespace_info__` of the Array API standard tells: devices, element types, what depends on data."""

from __future__ import annotations

from typing import Any

from .data_types import isdtype
from .ir.types import ALL_DTYPES, DType, complex64, float32, int64
from .ops.composite import require_processor

API_VERSION = "2024.12"


class NamespaceInfo:
    """The answers of this library."""

    __slots__ = ()

    def capabilities(self) -> dict[str, Any]:
        """Masks as indices and functions whose shapes depend on elements work outside of traces."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> str:
        """The processor."""
        return "cpu"

    def devices(self) -> list[str]:
        """The processor alone."""
        return ["cpu"]

    def default_dtypes(self, *, device: Any = None) -> dict[str, DType]:
        """Element types that are taken where none is asked for."""
        require_processor(device)
        return {"real floating": float32, "complex floating": complex64, "integral": int64, "indexing": int64}

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, DType]:
        """Element types by name, all or those of a kind."""
        require_processor(device)
        return {dtype.name: dtype for dtype in ALL_DTYPES if kind is None or isdtype(dtype, kind)}


def __array_namespace_info__() -> NamespaceInfo:
    """What this library can do, as the Array API standard asks it."""
    return NamespaceInfo()
