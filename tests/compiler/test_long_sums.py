"""Small products with long sums: they go through several blocks of k, as large ones do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr


@pytest.mark.parametrize(("dtype", "k"), [("float32", 385), ("float32", 1025), ("float64", 384)])
@pytest.mark.parametrize(("m", "n"), [(2, 2), (3, 5), (16, 2), (1, 3)])
@pytest.mark.parametrize("turned", [(False, False), (True, False), (True, True)])
def test_products_are_numpys(dtype: str, k: int, m: int, n: int, turned: tuple[bool, bool]) -> None:
    random = np.random.default_rng(0)
    a = random.standard_normal((k, m) if turned[0] else (m, k)).astype(dtype)
    b = random.standard_normal((n, k) if turned[1] else (k, n)).astype(dtype)

    def product(a: Any, b: Any) -> Any:
        return (a.T if turned[0] else a) @ (b.T if turned[1] else b)

    expected = product(a.astype(float), b.astype(float))
    digits = 1e-4 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(cr.compile(product)(a, b).numpy(), expected, rtol=digits, atol=digits * 100)
