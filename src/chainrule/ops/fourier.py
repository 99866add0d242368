"""The discrete Fourier transform: one primitive, and the functions of the standard made of it. On Values.

    fft(x; inverse): along the last axis, X_k = sum over j of x_j exp(-2πi jk / n); with inverse=True exp(+2πi jk / n).

Neither is scaled, so each is the adjoint of the other: the cotangent of one goes through the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import ConfigurationError, ShapeError
from ..ir.build import constant
from ..ir.graph import Value
from ..ir.primitive import Primitive, Sample, register
from ..ir.types import (
    COMPLEX,
    ArrayType,
    NumpyArray,
    as_dtype,
    as_integer,
    complex64,
    complex_dtype,
    float32,
    float64,
    normalize_axis,
)
from .arrays import concat, flip, moveaxis, pad
from .batching import batched_by_leading_axes
from .complex_functions import conj, real
from .composite import require_processor
from .operators import astype, floating, lift
from .running import roll
from .samples import spread, with_gaps
from .structure import narrow
from .type_rules import require_dtype


def _type(x: ArrayType, *, inverse: bool) -> ArrayType:
    require_dtype("fft", x, COMPLEX)
    if x.ndim < 1 or x.shape[-1] < 1:
        raise ShapeError(f"fft goes along an axis of at least one element, but was given {x}")
    return x


def _numpy(x: NumpyArray, *, inverse: bool) -> Any:
    function = np.fft.ifft if inverse else np.fft.fft
    return function(x, norm="forward" if inverse else "backward")


def _samples() -> Iterator[Sample]:
    for shape in ((2, 3), (1,), (8,), (0, 4)):
        z = spread(shape, -1, 1) + 1j * spread(shape, -1, 1, seed=1)
        for inverse in (False, True):
            yield Sample((z,), {"inverse": inverse})
    z = spread((3, 4), -1, 1) + 1j * spread((3, 4), -1, 1, seed=1)
    yield Sample((z.astype(complex64),), {"inverse": False})
    yield Sample((with_gaps(z),), {"inverse": False})
    z[1, 2] = np.nan
    yield Sample((z,), {"inverse": False}, smooth=False)


def _rule(g: Any, y: Any, x: Any, *, inverse: bool) -> Any:
    return transform(g, inverse=not inverse)


transform: Primitive = register(Primitive("fft", _type, _numpy, (_rule,), "fft({0}; inverse {inverse})", _samples))
batched_by_leading_axes(transform)

# -- one axis

NORMS = ("backward", "ortho", "forward")


def _scale(n: int, norm: str, inverse: bool) -> float:
    if norm not in NORMS:
        raise ConfigurationError(f'fft: norm is "backward", "ortho" or "forward", not {norm!r}')
    if norm == "ortho":
        return float(n**-0.5)
    return 1.0 / n if (norm == "backward") == inverse else 1.0


def _as_complex(x: Any) -> Value:
    value = floating(x)
    return astype(value, complex_dtype(value.dtype))


def _resized(x: Value, n: int, axis: int) -> Value:
    """Cut off, or filled up with zeros, to n elements along an axis."""
    if n < 1:
        raise ShapeError(f"fft goes along an axis of at least one element, but was asked for {n}")
    if n == x.shape[axis]:
        return x
    if n < x.shape[axis]:
        cut: Value = narrow(x, axis, 0, n)
        return cut
    return pad(x, [(0, n - x.shape[axis] if place == axis else 0) for place in range(x.ndim)])


def _along(x: Value, n: int | None, axis: int, norm: str, inverse: bool) -> Value:
    place = normalize_axis(axis, x.ndim)
    size = x.shape[place] if n is None else as_integer(n, "the length of a transform")
    resized = _resized(x, size, place)
    moved: Value = transform(moveaxis(resized, place, -1), inverse=inverse)
    factor = _scale(size, norm, inverse)
    return moveaxis(moved if factor == 1 else moved * factor, -1, place)


def fft(x: Any, n: int | None = None, axis: int = -1, norm: str = "backward") -> Value:
    """The discrete Fourier transform along `axis`, of its first n elements, or filled up to n with zeros.

    norm: "backward" scales the inverse by 1/n, "forward" this one, "ortho" both by 1/√n.
    """
    return _along(_as_complex(x), n, axis, norm, False)


def ifft(x: Any, n: int | None = None, axis: int = -1, norm: str = "backward") -> Value:
    """The inverse of `fft`."""
    return _along(_as_complex(x), n, axis, norm, True)


def rfft(x: Any, n: int | None = None, axis: int = -1, norm: str = "backward") -> Value:
    """The first n // 2 + 1 elements of the transform of real numbers; the others are their conjugates."""
    found = fft(_real_only("rfft", x), n, axis, norm)
    place = normalize_axis(axis, found.ndim)
    half: Value = narrow(found, place, 0, found.shape[place] // 2 + 1)
    return half


def _real_only(name: str, x: Any) -> Value:
    value = floating(x)
    if value.type.is_complex:
        raise ConfigurationError(f"{name} takes real numbers, but was given {value.type}; see fft, or take cr.real")
    return value


def irfft(x: Any, n: int | None = None, axis: int = -1, norm: str = "backward") -> Value:
    """The inverse of `rfft`: n real numbers, 2 (m - 1) of m elements unless n says otherwise."""
    value = _as_complex(x)
    place = normalize_axis(axis, value.ndim)
    size = 2 * (value.shape[place] - 1) if n is None else as_integer(n, "the length of a transform")
    half = _resized(value, size // 2 + 1, place)
    rest = narrow(half, place, 1, size - size // 2)
    whole = concat([half, conj(flip(rest, place))], axis=place)
    return real(_along(_resized(whole, size, place), None, place, norm, True))


def hfft(x: Any, n: int | None = None, axis: int = -1, norm: str = "backward") -> Value:
    """The transform of numbers whose other half are their conjugates: real."""
    return irfft(conj(_as_complex(x)), n, axis, _opposite(norm))


def ihfft(x: Any, n: int | None = None, axis: int = -1, norm: str = "backward") -> Value:
    """The inverse of `hfft`."""
    return conj(rfft(_real_only("ihfft", x), n, axis, _opposite(norm)))


def _opposite(norm: str) -> str:
    if norm not in NORMS:
        raise ConfigurationError(f'fft: norm is "backward", "ortho" or "forward", not {norm!r}')
    return NORMS[2 - NORMS.index(norm)]


# -- several axes

Sizes = Sequence[int] | None


def _places(x: Value, s: Sizes, axes: Sizes) -> list[tuple[int, int | None]]:
    """(axis, length) for each, in the order given."""
    if axes is None:
        axes = range(x.ndim) if s is None else range(x.ndim - len(s), x.ndim)
    sizes: Sequence[int | None] = [None] * len(axes) if s is None else s
    if len(sizes) != len(axes):
        raise ShapeError(f"fft: there are {len(sizes)} lengths for {len(axes)} axes")
    return list(zip(axes, sizes))


def fftn(x: Any, s: Sizes = None, axes: Sizes = None, norm: str = "backward") -> Value:
    """The transform along several axes, all unless `axes` says otherwise; s: their lengths."""
    value = _as_complex(x)
    for axis, size in reversed(_places(value, s, axes)):
        value = fft(value, size, axis, norm)
    return value


def ifftn(x: Any, s: Sizes = None, axes: Sizes = None, norm: str = "backward") -> Value:
    """The inverse of `fftn`."""
    value = _as_complex(x)
    for axis, size in reversed(_places(value, s, axes)):
        value = ifft(value, size, axis, norm)
    return value


def rfftn(x: Any, s: Sizes = None, axes: Sizes = None, norm: str = "backward") -> Value:
    """The transform of real numbers along several axes, the last of them by `rfft`."""
    value = _real_only("rfftn", x)
    *others, (axis, size) = _places(value, s, axes)
    value = rfft(value, size, axis, norm)
    for axis, size in reversed(others):
        value = fft(value, size, axis, norm)
    return value


def irfftn(x: Any, s: Sizes = None, axes: Sizes = None, norm: str = "backward") -> Value:
    """The inverse of `rfftn`."""
    value = _as_complex(x)
    *others, (axis, size) = _places(value, s, axes)
    for other, length in others:
        value = ifft(value, length, other, norm)
    return irfft(value, size, axis, norm)


# -- frequencies


def fftfreq(n: int, d: float = 1.0, dtype: Any = None, device: Any = None) -> Value:
    """The frequencies of a transform of n samples that lie d apart."""
    require_processor(device)
    return _frequencies(np.fft.fftfreq(n, d), dtype)


def rfftfreq(n: int, d: float = 1.0, dtype: Any = None, device: Any = None) -> Value:
    """The frequencies of `rfft` of n samples that lie d apart."""
    require_processor(device)
    return _frequencies(np.fft.rfftfreq(n, d), dtype)


def _frequencies(array: NumpyArray, dtype: Any) -> Value:
    wanted = float32 if dtype is None else as_dtype(dtype)
    if wanted not in (float32, float64):
        raise ConfigurationError(f"frequencies are floats, not {wanted}")
    return constant(array.astype(wanted))


def _shifted(x: Any, axes: Any, sign: int) -> Value:
    value = lift(x)
    given = range(value.ndim) if axes is None else (axes if isinstance(axes, tuple | list) else (axes,))
    places = tuple(given)
    halves = tuple(value.shape[axis] // 2 if sign > 0 else -(value.shape[axis] // 2) for axis in places)
    return roll(value, halves, places)


def fftshift(x: Any, axes: Any = None) -> Value:
    """The frequency 0 moved to the middle."""
    return _shifted(x, axes, 1)


def ifftshift(x: Any, axes: Any = None) -> Value:
    """The inverse of `fftshift`."""
    return _shifted(x, axes, -1)
