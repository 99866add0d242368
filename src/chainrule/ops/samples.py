"""Sample inputs for the tests of primitives: odd shapes, kinks, huge and tiny numbers, NaN and infinities."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np

from ..ir.primitive import NumpyArray, Sample
from ..ir.types import DType, Shape, float64

SHAPES: tuple[Shape, ...] = ((), (1,), (0,), (3,), (2, 3), (2, 0, 3))
NASTY = (0.0, -0.0, 1.0, -1.0, 1e-300, -1e-300, 1e30, -1e30, 750.0, -750.0, np.inf, -np.inf, np.nan)


def spread(shape: Shape, low: float, high: float, seed: int = 0) -> NumpyArray:
    """Float64 numbers spread over (low, high) without order and without repetition: the same in every run."""
    count = int(np.prod(shape, dtype=np.int64))
    fraction = np.modf((np.arange(1, count + 1) + 31 * seed) * 0.6180339887498949)[0]
    return (low + (high - low) * (0.02 + 0.96 * fraction)).reshape(shape)


def of_dtype(dtype: DType, shape: Shape, low: float, high: float, seed: int = 0) -> NumpyArray:
    """Numbers of any element type: integers are rounded outward, unsigned ones are not negative, bools alternate."""
    numbers = spread(shape, low, high, seed)
    if dtype.kind == "f":
        return numbers.astype(dtype)
    if dtype.kind == "b":
        return numbers > (low + high) / 2
    scaled = np.rint(numbers * 3)
    return np.abs(scaled).astype(dtype) if dtype.kind == "u" else scaled.astype(dtype)


def elementwise_samples(
    count: int, dtypes: Collection[DType], domain: tuple[float, float], kinks: tuple[float, ...] = ()
) -> Callable[[], Iterator[Sample]]:
    """Samples for a primitive with `count` inputs of one type: every dtype, odd shapes, a strided view, nasty points."""

    def samples() -> Iterator[Sample]:
        for dtype in dtypes:
            yield Sample(tuple(of_dtype(dtype, (2, 3), *domain, seed=index) for index in range(count)))
        if float64 not in dtypes:
            return
        for shape in SHAPES:
            yield Sample(tuple(spread(shape, *domain, seed=index + 5) for index in range(count)))
        yield Sample(tuple(spread((4, 6), *domain, seed=index).T[::2] for index in range(count)))
        nasty = np.array((*NASTY, *kinks))
        for shift in range(len(nasty) if count > 1 else 1):
            yield Sample(tuple(np.roll(nasty, shift * index) for index in range(count)), smooth=False)
        yield Sample(tuple(nasty.astype(np.float32) for _ in range(count)), smooth=False)

    return samples


def fixed(*samples: tuple[tuple[Any, ...], dict[str, Any]], smooth: bool = True) -> Callable[[], Iterator[Sample]]:
    """The samples listed: (inputs, parameters) each."""

    def iterate() -> Iterator[Sample]:
        for inputs, params in samples:
            yield Sample(tuple(np.asarray(each) for each in inputs), params, smooth)

    return iterate
