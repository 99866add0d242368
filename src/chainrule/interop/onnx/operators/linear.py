"""Products of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from .... import functions as fn
from ..call import Call, OnnxError, operator, shape_of


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
    """Each operand laid out along all labels, multiplied, summed over those that the result has not."""
    equation = call.text("equation", "").replace(" ", "")
    left, arrow, right = equation.partition("->")
    terms = [_labels(term, len(shape_of(x))) for term, x in zip(left.split(","), inputs)]
    dots = max((label for term in terms for label in term if label.startswith(".")), default="")
    open_labels = [f".{place:02d}" for place in range(int(dots[1:]), -1, -1)] if dots else []
    every = [label for term in terms for label in term]
    if arrow:
        result = [*open_labels] if right == "..." else _expanded(right, open_labels)
    else:
        result = [*open_labels, *sorted(label for label in set(every) if label[0] != "." and every.count(label) == 1)]
    order = [*result, *(label for label in dict.fromkeys(every) if label not in result)]
    product = None
    for term, x in zip(terms, inputs):
        laid = _laid_out(fn.asarray(x), term, order)
        product = laid if product is None else product * laid
    summed = tuple(range(len(result), len(order)))
    return fn.sum(product, axis=summed) if summed else product


def _expanded(term: str, open_labels: list[str]) -> list[str]:
    before, dots, after = term.partition("...")
    return [*before, *(open_labels if dots else []), *after]


def _labels(term: str, rank: int) -> list[str]:
    """A label an axis; those of an ellipsis are numbered from the last."""
    before, dots, after = term.partition("...")
    missing = rank - len(before) - len(after)
    if missing < 0 or (missing and not dots):
        raise OnnxError(f"Einsum: the term {term!r} does not fit an array with {rank} axes")
    return [*before, *(f".{place:02d}" for place in range(missing - 1, -1, -1)), *after]


def _laid_out(x: Any, term: list[str], order: list[str]) -> Any:
    for label in dict.fromkeys(term):
        while term.count(label) > 1:  # the same label twice: the diagonal
            first, second = [axis for axis, each in enumerate(term) if each == label][:2]
            x = _diagonal(x, first, second)
            term = [each for axis, each in enumerate(term) if axis not in (first, second)] + [label]
    present = [label for label in order if label in term]
    x = fn.permute_dims(x, tuple(term.index(label) for label in present))
    return fn.reshape(x, tuple(x.shape[present.index(label)] if label in present else 1 for label in order))


def _diagonal(x: Any, first: int, second: int) -> Any:
    """The diagonal of two axes, as the last axis."""
    front = fn.moveaxis(x, (first, second), (0, 1))
    size = front.shape[0]
    rows = fn.reshape(front, (size * size, *front.shape[2:]))[np.arange(size) * (size + 1)]
    return fn.moveaxis(rows, 0, -1)


@operator("Det")
def _det(call: Call, x: Any) -> Any:
    """Elimination with the largest pivot of each column; the determinant is the product of the pivots."""
    rows = fn.asarray(x)
    size = shape_of(rows)[-1]
    product = fn.ones(shape_of(rows)[:-2], rows.dtype)
    for _ in range(size):
        column = rows[..., 0]
        place = fn.argmax(fn.abs(column), axis=-1, keepdims=True)
        pivot = fn.take_along_axis(rows, fn.broadcast_to(place[..., None], (*place.shape, shape_of(rows)[-1])), axis=-2)
        others = fn.where(fn.asarray(np.arange(shape_of(rows)[-2])) == place, fn.asarray(rows[..., :1, 0]), column)
        swapped = fn.where((np.arange(shape_of(rows)[-2]) == place)[..., None], rows[..., :1, :], rows)
        lead = pivot[..., 0, 0]
        product = product * lead * fn.where(place[..., 0] == 0, fn.ones_like(lead), -fn.ones_like(lead))
        factor = others / fn.where(lead == 0, fn.ones_like(lead), lead)[..., None]
        rows = (swapped - factor[..., None] * pivot)[..., 1:, 1:]
    return product
