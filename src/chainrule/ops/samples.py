"""Sample inputs for the tests of primitives: odd shapes, kinks, huge and tiny numbers, NaN and infinities."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np

from ..ir.primitive import Sample
from ..ir.types import FLOATS, DType, NumpyArray, Shape, float64

SHAPES: tuple[Shape, ...] = ((), (1,), (0,), (3,), (2, 3), (2, 0, 3))
NASTY = (0.0, -0.0, 1.0, -1.0, 1e-300, -1e-300, 1e30, -1e30, 750.0, -750.0, np.inf, -np.inf, np.nan)


def spread(shape: Shape, low: float, high: float, seed: int = 0) -> NumpyArray:
    """Float64 numbers spread over (low, high) without order and without repetition: the same in every run."""
    count = int(np.prod(shape, dtype=np.int64))
    fraction = np.modf((np.arange(1, count + 1) + 31 * seed) * 0.6180339887498949)[0]
    return np.reshape(low + (high - low) * (0.02 + 0.96 * fraction), shape)


def of_dtype(dtype: DType, shape: Shape, low: float, high: float, seed: int = 0) -> NumpyArray:
    """Numbers of any element type: integers are rounded outward, unsigned ones are not negative, bools alternate."""
    return converted(spread(shape, low, high, seed), dtype, (low + high) / 2)


def converted(numbers: NumpyArray, dtype: DType, middle: float = 0.0) -> NumpyArray:
    """Float64 numbers in another element type, still different from each other."""
    if dtype.kind == "f":
        return numbers.astype(dtype)
    if dtype.kind == "b":
        return np.asarray(numbers > middle)
    scaled = np.rint(numbers * 3)
    return np.asarray(np.abs(scaled) if dtype.kind == "u" else scaled, dtype)


def elementwise_samples(
    count: int, dtypes: Collection[DType], domain: tuple[float, float], kinks: tuple[float, ...] = ()
) -> Callable[[], Iterator[Sample]]:
    """Samples for a primitive with `count` inputs of one type: all dtypes, odd shapes, a strided view, nasty points."""

    def samples() -> Iterator[Sample]:
        for dtype in dtypes:
            yield Sample(tuple(of_dtype(dtype, (2, 3), *domain, seed=index) for index in range(count)))
        main = float64 if float64 in dtypes else next(iter(dtypes))
        for shape in SHAPES:
            yield Sample(tuple(of_dtype(main, shape, *domain, seed=index + 5) for index in range(count)))
        yield Sample(tuple(of_dtype(main, (4, 6), *domain, seed=index).T[::2] for index in range(count)))
        if main != float64:
            return
        nasty = np.array((*NASTY, *kinks))
        for shift in range(len(nasty) if count > 1 else 1):
            yield Sample(tuple(np.roll(nasty, shift * index) for index in range(count)), smooth=False)
        yield Sample(tuple(nasty.astype(np.float32) for _ in range(count)), smooth=False)

    return samples


def variants(sample: Sample, dtypes: Collection[DType] = FLOATS) -> Iterator[Sample]:
    """A float64 sample in each other element type, with gaps in memory, and with NaN and infinities for its numbers."""
    for dtype in dtypes:
        if dtype != float64:
            smooth = sample.smooth and dtype.kind == "f"
            yield Sample(_changed(sample, lambda each, dtype=dtype: converted(each, dtype)), sample.params, smooth)
    yield Sample(tuple(map(with_gaps, sample.inputs)), sample.params, sample.smooth)
    yield Sample(_changed(sample, _nasty_like), sample.params, smooth=False)


def _changed(sample: Sample, change: Callable[..., NumpyArray]) -> tuple[NumpyArray, ...]:
    return tuple(change(each) if each.dtype == float64 else each for each in sample.inputs)


def _nasty_like(array: NumpyArray) -> NumpyArray:
    return np.resize(np.array(NASTY[::-1]), array.shape)


def with_gaps(array: NumpyArray) -> NumpyArray:
    """The same elements as a view of every other element of a larger block, the first axis backwards."""
    if not array.ndim:
        return array
    block = np.zeros(tuple(2 * size for size in array.shape), array.dtype)[::-1]
    view = block[(slice(None, None, 2),) * array.ndim]
    view[...] = array
    return view


def fixed(
    *samples: tuple[tuple[Any, ...], dict[str, Any]], dtypes: Collection[DType] = FLOATS
) -> Callable[[], Iterator[Sample]]:
    """The samples listed, (inputs, parameters) each, and the variants of the first."""

    def iterate() -> Iterator[Sample]:
        listed = [Sample(tuple(np.asarray(each) for each in inputs), params) for inputs, params in samples]
        yield from listed
        yield from variants(listed[0], dtypes)

    return iterate
