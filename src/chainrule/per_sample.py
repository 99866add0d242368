"""Norms and dot products of the gradients of single samples, without writing these gradients out.

The gradient of a weight matrix is a product: of what came in, turned, with the cotangent of what went out. For one
sample the factors are thin (one row, or one a time step), and the dot product of two such products is that of two
small Gram matrices: <A'B, C'D> = sum of (A C') * (B D'). Goodfellow, "Efficient per-example gradient computations",
arXiv 1510.01799; for sequences Lee and Kifer, "Scaling up differentially private deep learning", PoPETs 2021. Here the
factors are found in the graph of the gradient, whatever layers made it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import functions as f
from . import tree
from .errors import ConfigurationError
from .ir.graph import Value
from .tensor import Tensor, unwrap, wrap
from .transforms import grad
from .vmap import Axes, vmap

Function = Callable[..., Any]

MOST_TERMS = 4
"""A gradient that is a sum of more products than these (a weight used so often) is written out."""


@dataclass(frozen=True)
class Product:
    """left.T @ right, of left (rank, m) and right (rank, n), seen in `shape`."""

    left: Any
    right: Any
    shape: tuple[int, ...]

    @property
    def is_matrix(self) -> bool:
        return self.shape == (self.left.shape[-1], self.right.shape[-1])


@dataclass(frozen=True)
class Rows:
    """Zeros of `shape` but for rows added at `places` (count,): the gradient of an embedding, rows (count, width)."""

    places: Any
    rows: Any
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Whole:
    """An array written out."""

    value: Any
    shape: tuple[int, ...]


Term = Product | Rows | Whole


def _terms(value: Value) -> list[Term]:
    """A gradient of one sample as a sum of terms, thin ones where its last equations say so."""
    whole: list[Term] = [Whole(value, value.shape)]
    equation = value.equation
    if equation is None:
        return whole
    name, inputs = equation.primitive.name, equation.inputs
    if name == "add":
        found = [*_terms(inputs[0]), *_terms(inputs[1])]
        thin = any(not isinstance(each, Whole) for each in found)
        return found if thin and len(found) <= MOST_TERMS else whole
    if name == "matmul":
        return _product(*inputs) or whole
    if name == "scatter_add" and len(value.shape) == 2 and inputs[1].ndim == 1:
        count = inputs[1].size
        return [*_terms(inputs[0]), Rows(inputs[1], inputs[2], value.shape)] if count < value.shape[0] else whole
    if name in ("permute_dims", "reshape"):
        return [_seen(each, name, value.shape) for each in _thin(inputs[0])] or whole
    return whole


def _product(a: Value, b: Value) -> list[Term]:
    """a (m, rank) @ b (rank, n), where working with the factors is less than writing out."""
    if a.ndim != 2:
        return []
    (m, rank), n = a.shape, b.shape[1]
    if rank * (m + n) >= m * n:
        return []
    return [Product(_turned(a), b, (m, n))]


def _turned(value: Value) -> Any:
    return unwrap(f.permute_dims(wrap(value), (1, 0)))


def _thin(value: Value) -> list[Product]:
    """The terms of a value, where all are products of matrices."""
    found = _terms(value)
    matrices = [each for each in found if isinstance(each, Product) and each.is_matrix]
    return matrices if len(matrices) == len(found) else []


def _seen(term: Product, name: str, shape: tuple[int, ...]) -> Product:
    """What is left of a product when it is turned or reshaped."""
    return Product(term.right, term.left, shape) if name == "permute_dims" else Product(term.left, term.right, shape)


def _parts(term: Term) -> list[Any]:
    if isinstance(term, Product):
        return [term.left, term.right]
    return [term.places, term.rows] if isinstance(term, Rows) else [term.value]


def _with(term: Term, parts: Sequence[Any]) -> Term:
    if isinstance(term, Whole):
        return Whole(parts[0], term.shape)
    return type(term)(parts[0], parts[1], term.shape)


def _factors(
    loss: Function, args: tuple[Any, ...], argnums: int | Sequence[int], axes: Axes, chunk_size: int | None
) -> tuple[list[list[Term]], tree.Structure]:
    """For each differentiated tensor the terms of its gradients, all parts with the axis of samples in front."""
    found: list[list[Term]] = []
    structures: list[tree.Structure] = []

    def of_one(*one: Any) -> list[Tensor]:
        leaves, structure = tree.flatten(grad(loss, argnums)(*one))
        found[:] = [_terms(unwrap(each)) for each in leaves]
        structures[:] = [structure]
        return [wrap(part) for terms in found for term in terms for part in _parts(term)]

    parts = iter(vmap(of_one, axes, chunk_size=chunk_size)(*args))
    batched = [[_with(term, [next(parts) for _ in _parts(term)]) for term in terms] for terms in found]
    return batched, structures[0]


def _axes(args: tuple[Any, ...], argnums: int | Sequence[int], in_axes: Axes) -> Axes:
    """By default what is differentiated is the same for all samples, and every other argument holds them in front."""
    if in_axes is not None:
        return in_axes
    places = {place % len(args) for place in ([argnums] if isinstance(argnums, int) else argnums)}
    if len(places) == len(args):
        raise ConfigurationError("per-sample gradients need an argument that holds the samples; give in_axes")
    return tuple(None if place in places else 0 for place in range(len(args)))


def per_sample_norms(
    loss: Function,
    argnums: int | Sequence[int] = 0,
    in_axes: Axes = None,
    by_tensor: bool = False,
    chunk_size: int | None = None,
) -> Function:
    """A function that gives the norm of the gradient of each sample, (samples,), without writing the gradients out.

    loss: of one sample, a single number, as for `vmap(grad(loss), in_axes)`; by default the argument `argnums` (the
    network) is the same for all, and the others hold the samples along their first axis. by_tensor: the norms for each
    tensor of that argument, in its structure. chunk_size: so many samples at a time, to save memory.

    Dense layers and embeddings cost no more than another gradient of the batch; what has no thin factors
    (convolutions over many places, recurrent weights) is written out sample by sample: there chunk_size bounds memory.
    Raises as `vmap` and `grad` do.

    >>> import chainrule as cr
    >>> loss = lambda weight, x: (x @ weight).sum()
    >>> cr.per_sample_norms(loss)(cr.zeros((2, 3)), cr.tensor([[3.0, 4.0], [0.0, 1.0]])).numpy().round(3)
    array([8.66 , 1.732], dtype=float32)
    """

    @functools.wraps(loss)
    def wrapped(*args: Any) -> Any:
        tensors, structure = _factors(loss, args, argnums, _axes(args, argnums, in_axes), chunk_size)
        squares = [_square(terms) for terms in tensors]
        if by_tensor:
            return tree.unflatten(structure, [f.sqrt(each) for each in squares])
        return f.sqrt(functools.reduce(f.add, squares))

    return wrapped


def per_sample_dots(
    loss: Function, argnums: int | Sequence[int] = 0, in_axes: Axes = None, chunk_size: int | None = None
) -> Function:
    """A function that gives the dot products of the gradients of all pairs of samples, (samples, samples).

    The gradients are not written out where their factors are thin; arguments as for `per_sample_norms`. The slope of
    each sample's loss along one direction is `cr.jvp` of `cr.vmap(loss, ...)`.

    >>> import chainrule as cr
    >>> loss = lambda weight, x: (x @ weight).sum()
    >>> cr.per_sample_dots(loss)(cr.zeros((2, 3)), cr.tensor([[3.0, 4.0], [0.0, 1.0]])).tolist()
    [[75.0, 12.0], [12.0, 3.0]]
    """

    @functools.wraps(loss)
    def wrapped(*args: Any) -> Any:
        tensors, _ = _factors(loss, args, argnums, _axes(args, argnums, in_axes), chunk_size)
        return functools.reduce(f.add, [_pair_sum(terms, _across) for terms in tensors])

    return wrapped


def _square(terms: list[Term]) -> Any:
    """Squared norms (samples,); rounding of terms that cancel can't make them negative."""
    found = f.maximum(_pair_sum(terms, _within), 0.0) if len(terms) > 1 else _pair_sum(terms, _within)
    return found


def _pair_sum(terms: list[Term], dot: Callable[[Term, Term], Any]) -> Any:
    """Of all pairs of terms of one sum."""
    return functools.reduce(f.add, [dot(first, second) for first in terms for second in terms])


def _within(first: Term, second: Term) -> Any:
    """<first, second> of each sample with itself, (samples,)."""
    if isinstance(first, Product) and isinstance(second, Product) and first.shape == second.shape:
        return _summed(_gram(first.left, second.left) * _gram(first.right, second.right))
    if isinstance(first, Rows) and isinstance(second, Rows):
        return _summed(f.where(_equal(first.places, second.places), _gram(first.rows, second.rows), 0.0))
    if isinstance(first, Rows) and isinstance(second, Product) and second.is_matrix:
        left = f.take_along_axis(second.left, _as_columns(first.places, second.left), 2)  # (samples, rank, count)
        return _summed(left * _gram(second.right, first.rows))
    if isinstance(second, Rows) and isinstance(first, Product) and first.is_matrix:
        return _within(second, first)
    return _summed(_written_out(first) * _written_out(second))


def _across(first: Term, second: Term) -> Any:
    """<first of sample i, second of sample j>, (samples, samples)."""
    if isinstance(first, Product) and isinstance(second, Product) and first.shape == second.shape:
        return _blocks(_gram_across(first.left, second.left) * _gram_across(first.right, second.right), first, second)
    if isinstance(first, Rows) and isinstance(second, Rows):
        places = [f.reshape(each.places, (-1,)) for each in (first, second)]
        same = _equal(f.expand_dims(places[0], 0), f.expand_dims(places[1], 0))[0]
        return _blocks(f.where(same, _gram_across(first.rows, second.rows), 0.0), first, second)
    one, other = _written_out(first), _written_out(second)
    size = int(np.prod(first.shape))
    return f.reshape(one, (one.shape[0], size)) @ f.reshape(other, (other.shape[0], size)).T


def _summed(x: Tensor) -> Any:
    return f.sum(x, axis=tuple(range(1, x.ndim)))


def _gram(a: Tensor, b: Tensor) -> Any:
    """(samples, i, width), (samples, j, width): all dot products of each sample, (samples, i, j)."""
    return a @ f.matrix_transpose(b)


def _equal(a: Tensor, b: Tensor) -> Any:
    """(samples, i), (samples, j): which are equal, (samples, i, j)."""
    return f.equal(f.expand_dims(a, 2), f.expand_dims(b, 1))


def _as_columns(places: Tensor, left: Tensor) -> Any:
    """Places (samples, count) for every row of left (samples, rank, m)."""
    return f.broadcast_to(f.expand_dims(places, 1), (*left.shape[:2], places.shape[1]))


def _gram_across(a: Tensor, b: Tensor) -> Any:
    """(samples, i, width), (samples, j, width): all dot products, (samples · i, samples · j)."""
    return f.reshape(a, (-1, a.shape[2])) @ f.reshape(b, (-1, b.shape[2])).T


def _blocks(x: Tensor, first: Term, second: Term) -> Any:
    """Sums over the blocks of pairs of samples: (samples · i, samples · j) to (samples, samples)."""
    i, j = _parts(first)[1].shape[1], _parts(second)[1].shape[1]
    samples = _parts(first)[1].shape[0]
    return f.sum(f.reshape(x, (samples, i, samples, j)), axis=(1, 3))


def _written_out(term: Term) -> Any:
    """(samples, *shape)."""
    if isinstance(term, Whole):
        return term.value
    if isinstance(term, Product):
        samples = term.left.shape[0]
        return f.reshape(f.matrix_transpose(term.left) @ term.right, (samples, *term.shape))
    return vmap(lambda places, rows: _scattered(places, rows, term.shape))(term.places, term.rows)


def _scattered(places: Tensor, rows: Tensor, shape: tuple[int, ...]) -> Any:
    from .ops.indexing import scatter_add

    start = f.zeros(shape, dtype=rows.dtype)
    return wrap(scatter_add(unwrap(start), unwrap(places), unwrap(rows)))
