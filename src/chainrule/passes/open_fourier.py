"""Fourier transforms as products with small DFT matrices.

A length is split into factors of at most 32 (Cooley and Tukey, 1965): each is one matrix product for all that is
transformed. A length up to 256 whose factors are larger is one product with its own matrix; longer ones go through a
convolution of a length that is a power of two (L. Bluestein, 1970). Angles are reduced in whole numbers, so matrices
are exact to the last place. The error grows with the logarithm of the length, as that of NumPy's transforms does; it is
below 4 log2(n) units of rounding of the largest result, twice that for Bluestein's way (tested).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from .. import functions as f

LARGEST_FACTOR = 32
LARGEST_MATRIX = 256


def fft(x: Any, inverse: bool) -> Any:
    """Along the last axis."""
    return _transformed(x, 1 if inverse else -1) if x.size else x


def _transformed(x: Any, sign: int) -> Any:
    n = x.shape[-1]
    if n == 1:
        return x
    factor = _factor(n)
    if n <= LARGEST_FACTOR or (factor == 1 and n <= LARGEST_MATRIX):
        return x @ _roots(n, n, n, sign, x.dtype.name)
    return _by_convolution(x, sign) if factor == 1 else _by_factor(x, factor, sign)


def _factor(n: int) -> int:
    """The largest divisor of at most 32."""
    return next(p for p in range(LARGEST_FACTOR, 0, -1) if n % p == 0)


@lru_cache(maxsize=256)
def _roots(n: int, rows: int, columns: int, sign: int, dtype: str) -> Any:
    """exp(± 2πi jk / n) at row j, column k."""
    turns = np.multiply.outer(np.arange(rows), np.arange(columns)) % n
    return np.exp(sign * 2j * np.pi * turns / n).astype(dtype)


def _by_factor(x: Any, p: int, sign: int) -> Any:
    n = x.shape[-1]
    q, batch, name = n // p, x.shape[:-1], x.dtype.name
    columns = f.matrix_transpose(f.reshape(x, (*batch, p, q)))  # (..., q, p)
    turned = (columns @ _roots(p, p, p, sign, name)) * _roots(n, q, p, sign, name)
    whole = _transformed(f.matrix_transpose(turned), sign)  # (..., p, q)
    return f.reshape(f.matrix_transpose(whole), (*batch, n))


def _by_convolution(x: Any, sign: int) -> Any:
    n = x.shape[-1]
    m = 1 << (2 * n - 2).bit_length()
    places = np.arange(n)
    chirp = np.exp(sign * 1j * np.pi * (places * places % (2 * n)) / n)
    kernel = np.zeros(m, np.complex128)
    kernel[:n] = chirp.conj()
    kernel[m - n + 1 :] = chirp.conj()[:0:-1]
    spectrum = (np.fft.fft(kernel) / m).astype(x.dtype)
    turns = chirp.astype(x.dtype)
    padded = f.pad(x * turns, [(0, 0)] * (x.ndim - 1) + [(0, m - n)])
    return _transformed(_transformed(padded, -1) * spectrum, 1)[..., :n] * turns
