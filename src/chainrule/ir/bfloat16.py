"""The element type bfloat16 in NumPy, which the package ml_dtypes adds: loaded only for who names it."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from ..errors import missing_dependency


def bfloat16_dtype() -> np.dtype[Any]:
    """NumPy's dtype of it; a MissingDependencyError says what to install.

    Mixed precision (`cr.autocast`) has no arrays of it and does without.
    """
    try:
        package = importlib.import_module("ml_dtypes")
    except ImportError as error:
        raise missing_dependency("ml_dtypes", "arrays of bfloat16", "bfloat16") from error
    dtype: np.dtype[Any] = np.dtype(package.bfloat16)
    return dtype
