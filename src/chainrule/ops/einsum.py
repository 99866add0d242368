"""einsum: sums of products named by letters, as sums, permutations and matrix products. On Values."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np

from ..errors import ConfigurationError, ShapeError
from ..ir.build import constant
from ..ir.graph import Value
from ..ir.types import Shape, promote
from .arrays import permute_dims
from .bfloat16 import rounded_product
from .broadcasting import sum
from .indexing import gather
from .linear import matmul
from .operators import astype, broadcast, lift, reshape

Names = tuple[str, ...]
"""A name for each axis: a letter, or "..." with a number for the axes that an ellipsis stands for."""


def einsum(subscripts: str, *operands: Any) -> Value:
    """Sums of products in Einstein's notation: "ij,jk->ik" is a matrix product, "ii->i" a diagonal.

    Letters that the result does not name are summed over; "..." stands for all other axes, which broadcast. Without
    "->" the result has the letters that appear once, in alphabetical order. Two arrays at a time are multiplied, those
    first that give the fewest elements.

    >>> import chainrule as cr
    >>> cr.einsum("bij,bjk->bik", cr.ones((5, 2, 3)), cr.ones((5, 3, 4))).shape
    (5, 2, 4)
    """
    values = [lift(each) for each in operands]
    names, result = _parsed(subscripts, values)
    dtype = values[0].dtype
    for value in values[1:]:
        dtype = promote(dtype, value.dtype)
    terms = [_own_diagonals(astype(value, dtype), given) for value, given in zip(values, names)]
    sizes = _sizes(terms, subscripts)
    terms = [_without_ones(value, given, sizes, result) for value, given in terms]
    while len(terms) > 1:
        first, second = _cheapest(terms, result, sizes)
        others = [term for place, term in enumerate(terms) if place not in (first, second)]
        needed = set(result).union(*(given for _, given in others))
        terms = [*others, _multiplied(terms[first], terms[second], needed)]
    return _finished(*terms[0], result, sizes)


# -- reading


def _parsed(subscripts: str, values: list[Value]) -> tuple[list[Names], Names]:
    text = subscripts.replace(" ", "")
    inputs, arrow, output = text.partition("->")
    parts = inputs.split(",")
    if len(parts) != len(values):
        raise ConfigurationError(f"einsum: {subscripts!r} names {len(parts)} arrays, but {len(values)} were given")
    names = [_names(part, value, subscripts) for part, value in zip(parts, values)]
    dots = max((tuple(n for n in given if len(n) > 1) for given in names), key=len, default=())
    dots = tuple(f"...{place}" for place in range(len(dots), 0, -1))
    if arrow:
        head, found, tail = output.partition("...")
        result = (*_letters(head, subscripts), *(dots if found else ()), *_letters(tail, subscripts))
    else:
        counts = Counter(name for given in names for name in given if len(name) == 1)
        result = (*dots, *sorted(name for name, count in counts.items() if count == 1))
    known = {name for given in names for name in given}
    if len(set(result)) != len(result) or not set(result) <= known:
        raise ConfigurationError(f"einsum: the result of {subscripts!r} must name axes of the arrays, each once")
    return names, result


def _letters(part: str, subscripts: str) -> Names:
    if not all(letter.isalpha() for letter in part):
        raise ConfigurationError(f"einsum: {subscripts!r} holds {part!r}; axes are named by letters")
    return tuple(part)


def _names(part: str, value: Value, subscripts: str) -> Names:
    head, dots, tail = part.partition("...")
    first, last = _letters(head, subscripts), _letters(tail, subscripts)
    rest = value.ndim - len(first) - len(last)
    if rest < 0 or (rest and not dots):
        raise ShapeError(f"einsum: {part!r} in {subscripts!r} does not fit an array of {value.ndim} axes, {value.type}")
    return (*first, *(f"...{place}" for place in range(rest, 0, -1)), *last)


def _sizes(terms: list[tuple[Value, Names]], subscripts: str) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for value, given in terms:
        for name, size in zip(given, value.shape):
            known = sizes.get(name, 1)
            if known != 1 and size not in (1, known):
                raise ShapeError(f"einsum: axis {name!r} of {subscripts!r} has both {known} and {size} elements")
            sizes[name] = size if known == 1 else known
    return sizes


# -- one array


def _own_diagonals(value: Value, names: Names) -> tuple[Value, Names]:
    """A letter that stands twice in one array picks its diagonal."""
    for name, count in Counter(names).items():
        if count == 1:
            continue
        places = [place for place, each in enumerate(names) if each == name]
        size = value.shape[places[0]]
        if any(value.shape[place] != size for place in places):
            raise ShapeError(f"einsum: axis {name!r} stands for axes of different sizes of {value.type}")
        rest = [place for place in range(value.ndim) if place not in places]
        front = permute_dims(value, (*places, *rest))
        flat = reshape(front, (size**count, *front.shape[count:]))
        step = (size**count - 1) // (size - 1) if size > 1 else 1
        value = gather(flat, constant(np.arange(size) * step))
        names = (name, *(names[place] for place in rest))
    return value, names


def _without_ones(value: Value, names: Names, sizes: dict[str, int], result: Names) -> tuple[Value, Names]:
    """Axes of size 1 that stand for longer ones are left out: they broadcast."""
    kept = [place for place, name in enumerate(names) if value.shape[place] == sizes[name]]
    shape = tuple(value.shape[place] for place in kept)
    return reshape(value, shape), tuple(names[place] for place in kept)


def _finished(value: Value, names: Names, result: Names, sizes: dict[str, int]) -> Value:
    gone = tuple(place for place, name in enumerate(names) if name not in result)
    value = sum(value, axes=gone) if gone else value
    left = [name for name in names if name in result]
    value = permute_dims(value, [left.index(name) for name in result if name in left])
    wide = reshape(value, tuple(sizes[name] if name in left else 1 for name in result))
    return broadcast(wide, tuple(sizes[name] for name in result))


# -- two arrays


def _cheapest(terms: list[tuple[Value, Names]], result: Names, sizes: dict[str, int]) -> tuple[int, int]:
    """The pair whose product has the fewest elements; of equal ones the first."""

    def size(pair: tuple[int, int]) -> int:
        others = [given for place, (_, given) in enumerate(terms) if place not in pair]
        needed = set(result).union(*others)
        names = {name for place in pair for name in terms[place][1]}
        return math.prod(sizes[name] for name in names & needed)

    pairs = [(i, j) for j in range(len(terms)) for i in range(j)]
    return min(pairs, key=size)


def _multiplied(first: tuple[Value, Names], second: tuple[Value, Names], needed: set[str]) -> tuple[Value, Names]:
    """One matrix product: of axes both have and the result too (a batch), of those summed over, and of the others."""
    (x, x_names), (y, y_names) = _summed(first, second, needed), _summed(second, first, needed)
    both = [name for name in x_names if name in y_names]
    batch = [name for name in both if name in needed]
    inner = [name for name in both if name not in needed]
    left = [name for name in x_names if name not in both]
    right = [name for name in y_names if name not in both]
    a = _arranged(x, x_names, (batch, left, inner))
    b = _arranged(y, y_names, (batch, inner, right))
    names = (*batch, *left, *right)
    known = dict(zip((*x_names, *y_names), (*x.shape, *y.shape)))
    shape: Shape = tuple(known[name] for name in names)
    product: Value = a * b if not inner and not left and not right else rounded_product(matmul, a, b)
    return reshape(product, shape), names


def _summed(term: tuple[Value, Names], other: tuple[Value, Names], needed: set[str]) -> tuple[Value, Names]:
    """Axes that neither the other array nor the result has are summed at once."""
    value, names = term
    gone = tuple(place for place, name in enumerate(names) if name not in needed and name not in other[1])
    if not gone:
        return term
    return sum(value, axes=gone), tuple(name for place, name in enumerate(names) if place not in gone)


def _arranged(value: Value, names: Names, groups: tuple[list[str], ...]) -> Value:
    """Axes in groups, each joined into one."""
    order = [names.index(name) for group in groups for name in group]
    known = dict(zip(names, value.shape))
    shape = tuple(math.prod(known[name] for name in group) for group in groups)
    return reshape(permute_dims(value, order), shape)
