"""Complex numbers: the primitives that take them apart and put them together.

The gradient of a real loss by a complex number is the derivative by its real part plus i times that by its imaginary
part, as in PyTorch: the direction in which the loss grows fastest, so `z - rate * gradient` goes down. It is twice the
derivative by the conjugate of z (Wirtinger). For a function f with a complex derivative the cotangent of the input is
g · conj(f'(z)).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..ir.build import splat
from ..ir.primitive import Primitive, Sample, register
from ..ir.types import COMPLEX, FLOATS, ArrayType, complex64, complex_dtype, float32, part_dtype
from .samples import NASTY, SHAPES, spread, with_gaps
from .type_rules import require_dtype, require_same

# Derivatives are written with primitives that are defined further down.
conj: Primitive
join: Primitive


def _complex_samples() -> Iterator[Sample]:
    for shape in SHAPES:
        z = _join(spread(shape, -2, 2), spread(shape, -2, 2, seed=1))
        yield Sample((z,))
        yield Sample((with_gaps(z),))
    yield Sample((z.astype(complex64),))
    yield Sample((_join(np.array(NASTY), np.array(NASTY[::-1])),), smooth=False)


def _part_type(name: str) -> Any:
    def rule(kind: ArrayType) -> ArrayType:
        require_dtype(name, kind, COMPLEX)
        return kind.with_dtype(part_dtype(kind.dtype))

    return rule


def _nothing(g: Any) -> Any:
    return splat(0, g.type)


real = register(
    Primitive(
        "real",
        _part_type("real"),
        lambda z: np.array(z.real),
        (lambda g, y, z: join(g, _nothing(g)),),
        "Re {0}",
        _complex_samples,
    )
)
imag = register(
    Primitive(
        "imag",
        _part_type("imag"),
        lambda z: np.array(z.imag),
        (lambda g, y, z: join(_nothing(g), g),),
        "Im {0}",
        _complex_samples,
    )
)


def _conj_type(kind: ArrayType) -> ArrayType:
    require_dtype("conj", kind, COMPLEX)
    return kind


conj = register(Primitive("conj", _conj_type, np.conj, (lambda g, y, z: conj(g),), "conj {0}", _complex_samples))


def _join_type(re: ArrayType, im: ArrayType) -> ArrayType:
    require_dtype("complex", re, FLOATS)
    require_same("complex", re, im)
    return re.with_dtype(complex_dtype(re.dtype))


def _join(re: Any, im: Any) -> Any:
    result = np.empty(re.shape, complex_dtype(re.dtype))
    result.real, result.imag = re, im
    return result


def _join_samples() -> Iterator[Sample]:
    for shape in SHAPES:
        yield Sample((spread(shape, -2, 2), spread(shape, -2, 2, seed=1)))
    yield Sample(tuple(with_gaps(spread((2, 3), -2, 2, seed)) for seed in (0, 1)))
    yield Sample(tuple(spread((2, 3), -2, 2, seed).astype(float32) for seed in (0, 1)))
    yield Sample((np.array(NASTY), np.array(NASTY[::-1])), smooth=False)


join = register(
    Primitive(
        "complex",
        _join_type,
        _join,
        (lambda g, y, re, im: real(g), lambda g, y, re, im: imag(g)),
        "({0} + i {1})",
        _join_samples,
    )
)
