"""Products of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from .... import functions as fn
from .... import linalg
from ..call import Call, operator


@operator("MatMul")
def _matmul(call: Call, a: Any, b: Any) -> Any:
    return fn.matmul(a, b)


@operator("Gemm")
def _gemm(call: Call, a: Any, b: Any, c: Any = None) -> Any:
    first = fn.matrix_transpose(a) if call.get("transA", 0) else a
    second = fn.matrix_transpose(b) if call.get("transB", 0) else b
    product = fn.matmul(first, second)
    alpha, beta = call.get("alpha", 1.0), call.get("beta", 1.0)
    product = product if alpha == 1 else _scaled(product, alpha)
    return product if c is None or beta == 0 else product + (c if beta == 1 else _scaled(c, beta))


def _scaled(x: Any, factor: float) -> Any:
    x = fn.asarray(x)
    return x * np.asarray(factor, x.dtype)


@operator("Einsum")
def _einsum(call: Call, *inputs: Any) -> Any:
    return fn.einsum(call.text("equation", "").replace(" ", ""), *inputs)


@operator("Det")
def _det(call: Call, x: Any) -> Any:
    return linalg.det(x)
