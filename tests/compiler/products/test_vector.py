"""Products of a vector and a matrix, whichever way the matrix lies, against NumPy in float64 and for any threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr

SIZES = [
    (2, 128),
    (128, 2),
    (10, 30),
    (30, 10),
    (192, 30),
    (30, 192),
    (5, 129),
    (129, 5),
    (64, 64),
    (33, 1000),
    (17, 16),
]
FORMS = {
    "row": lambda v, m: v[None, :] @ m,
    "row, matrix turned": lambda v, m: v[None, :] @ cr.permute_dims(cr.permute_dims(m, (1, 0)) + 0.0, (1, 0)),
    "column": lambda v, m: cr.permute_dims(m, (1, 0)) @ v[:, None],
    "column, every other element": lambda v, m: cr.permute_dims(m, (1, 0)) @ cr.stack([v, v], 1)[:, 1:],
}


def product(form: str, dtype: str, k: int, n: int, threads: int = 1) -> tuple[Any, Any]:
    random = np.random.default_rng(k + 1000 * n)
    vector, matrix = random.standard_normal(k).astype(dtype), random.standard_normal((k, n)).astype(dtype)
    found = cr.compile(FORMS[form], threads=threads)(cr.tensor(vector), cr.tensor(matrix)).numpy()
    return found.reshape(-1), vector.astype(np.float64) @ matrix.astype(np.float64)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("k", "n"), SIZES)
def test_products_are_numpys(form: str, k: int, n: int) -> None:
    for dtype, tolerance in (("float32", 1e-6), ("float64", 1e-15)):
        found, expected = product(form, dtype, k, n)
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * 4 * np.sqrt(k) * 3)
        assert found.dtype == np.dtype(dtype)


@pytest.mark.parametrize("form", ["row", "column"])
def test_what_is_not_there_is_not_multiplied(form: str) -> None:
    """Infinite elements make their own sums infinite, and no other NaN."""
    vector, matrix = np.ones(19, np.float32), np.zeros((19, 21), np.float32)
    matrix[18, 20], matrix[0, 3] = np.inf, -np.inf
    for given in (matrix, matrix[:, ::-1]):
        found = cr.compile(FORMS[form])(cr.tensor(vector), cr.tensor(given)).numpy().reshape(-1)
        np.testing.assert_array_equal(found, given.sum(axis=0))
