"""Special functions that NumPy lacks, as vectorised NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ir.primitive import NumpyArray


def erf(x: NumpyArray) -> Any:
    """Error function."""
    import math
    return np.frompyfunc(math.erf, 1, 1)(x).astype(x.dtype) if x.size else x


def erfc(x: NumpyArray) -> Any:
    """Complementary error function."""
    import math
    return np.frompyfunc(math.erfc, 1, 1)(x).astype(x.dtype) if x.size else x


def erfinv(x: NumpyArray) -> Any:
    """Inverse error function."""
    raise NotImplementedError


def sigmoid(x: NumpyArray) -> Any:
    """1 / (1 + exp(-x)) to full relative precision at both ends: exp never overflows."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)
