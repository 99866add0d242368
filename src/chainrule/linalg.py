"""cr.linalg: linear algebra of the Array API standard, on tensors. Matrices are the last two axes.

Gradients of any order go through all of it, where the mathematics has one. What NumPy's LAPACK leaves open (signs of
vectors, of the diagonal of R) is settled; see `chainrule.ops.decompositions`. Compiled programs compute the same in
loops of their own, to within rounding.
"""

from __future__ import annotations

from .ops import arrays, linalg, operators
from .tensor import lifted

cholesky = lifted(linalg.cholesky)
cross = lifted(linalg.cross)
det = lifted(linalg.det)
diagonal = lifted(linalg.diagonal)
eigh = lifted(linalg.eigh)
eigvalsh = lifted(linalg.eigvalsh)
inv = lifted(linalg.inv)
matmul = lifted(operators.matmul)
matrix_norm = lifted(linalg.matrix_norm)
matrix_power = lifted(linalg.matrix_power)
matrix_rank = lifted(linalg.matrix_rank)
matrix_transpose = lifted(arrays.matrix_transpose)
outer = lifted(arrays.outer)
pinv = lifted(linalg.pinv)
qr = lifted(linalg.qr)
slogdet = lifted(linalg.slogdet)
solve = lifted(linalg.solve)
svd = lifted(linalg.svd)
svdvals = lifted(linalg.svdvals)
tensordot = lifted(arrays.tensordot)
trace = lifted(linalg.trace)
vecdot = lifted(arrays.vecdot)
vector_norm = lifted(linalg.vector_norm)

__all__ = [
    "cholesky",
    "cross",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "inv",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]
