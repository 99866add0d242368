"""Products of a triangle, native against NumPy in float64: sums that end or begin at the diagonal, tiles left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule.compiler.compile import compile_graph, run_once
from chainrule.ops.triangle import triangle_product
from chainrule.tensor import lifted
from chainrule.trace import trace

SHAPES: list[tuple[tuple[int, ...], tuple[int, int, int]]] = [
    ((2, 3), (45, 40, 20)),
    ((), (33, 70, 45)),  # wider than high
    ((), (70, 33, 47)),  # higher than wide
    ((), (90, 8, 300)),
    ((2,), (100, 70, 100)),
]
WAYS = [(of, part) for of in ("left", "result") for part in ("lower", "upper")]


def program(of: str, part: str, turned: bool) -> Any:
    """Of a stack of products; turned: both operands come with rows and columns exchanged."""

    def one(a: Any, b: Any) -> Any:
        return triangle_product(a, b, of=of, part=part)

    product = lifted(one)
    return (lambda a, b: product(a.mT, b.mT)) if turned else product


@pytest.mark.parametrize(("batch", "sizes"), SHAPES)
@pytest.mark.parametrize(("of", "part"), WAYS)
def test_native_is_numpy(batch: tuple[int, ...], sizes: tuple[int, int, int], of: str, part: str) -> None:
    m, n, k = sizes
    random = np.random.default_rng(m + n + k)
    turned, dtype = k % 2 == 1, np.float64 if n == 8 else np.float32
    a = random.standard_normal((*batch, m, k)).astype(dtype)
    b = random.standard_normal((*batch, k, n)).astype(dtype)
    kept = np.tril if part == "lower" else np.triu
    wide = np.matmul(kept(a.astype(np.float64)), b) if of == "left" else kept(np.matmul(a.astype(np.float64), b))
    if of == "left":
        a[..., kept(np.ones((m, k))) == 0] = np.nan  # nobody may look there
    arrays = [np.ascontiguousarray(each.swapaxes(-1, -2)) if turned else each for each in (a, b)]
    compiled = compile_graph(trace(program(of, part, turned))(*arrays))
    results = [run_once(compiled, arrays, threads)[0] for threads in (1, 2, 3)]
    assert all(each.tobytes() == results[0].tobytes() for each in results)
    np.testing.assert_allclose(results[0], wide, atol=(1e-6 if dtype == np.float32 else 1e-14) * k)
    if of == "result":
        assert not results[0][..., kept(np.ones((m, n))) == 0].any()
