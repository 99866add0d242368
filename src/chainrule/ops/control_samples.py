"""Bodies and inputs on which the tests try loops and branches."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..ir.build import Trace, placeholder, tracing
from ..ir.graph import Graph, Value
from ..ir.primitive import Sample
from ..ir.types import ArrayType, DType, NumpyArray, Shape, float32, float64, int64
from . import broadcasting, linear
from . import elementwise as ew
from .samples import spread, with_gaps

# Bodies are made for one element type, so a float32 sample can't be tried in float64: only those are said to be smooth.
Step = Callable[..., tuple[Value, ...]]


@functools.cache
def body_of(step: Step, *kinds: ArrayType) -> Graph:
    """The graph of a function of Values."""
    inputs = tuple(placeholder(kind) for kind in kinds)
    with tracing(Trace()) as trace:
        assert trace is not None
        outputs = step(*inputs)
    return Graph(inputs, tuple(trace.equations), outputs, step.__name__.removeprefix("_"))


def _kinds(dtype: DType, *shapes: Shape) -> tuple[ArrayType, ...]:
    return tuple(ArrayType(shape, dtype) for shape in shapes)


def _spread(dtype: DType, *shapes: Shape) -> tuple[NumpyArray, ...]:
    return tuple(spread(shape, -1, 1, seed).astype(dtype) for seed, shape in enumerate(shapes))


# -- scan


def _running(carry: Value, x: Value) -> tuple[Value, ...]:
    """(2,), (2,) -> (2,), (2,)"""
    total = carry + ew.sin(x * carry)
    return total, total * x


def _recurrent(weights: Value, carry: Value, x: Value) -> tuple[Value, ...]:
    """(3, 3), (2, 3), (2, 3) -> (2, 3), (2, 3)"""
    new: Value = ew.tanh(linear.matmul(carry, weights) + x)
    return new, new


def _counting(count: Value, carry: Value) -> tuple[Value, ...]:
    """The number of the step is an integer: no gradient goes through it."""
    scale = ew.cast(count, dtype=carry.dtype)
    return count + 1, carry * carry + scale


def _added(carry: Value, x: Value) -> tuple[Value, ...]:
    return (carry + x,)


def _doubled(x: Value) -> tuple[Value, ...]:
    return (x + x,)


def _sizes(constants: int, carry: int, length: int, reverse: bool = False) -> dict[str, Any]:
    return {"constants": constants, "carry": carry, "length": length, "reverse": reverse}


def scan() -> Iterator[Sample]:
    """Samples of scan."""
    pair = ((2,), (4, 2))
    for dtype in (float64, float32):
        running = body_of(_running, *_kinds(dtype, (2,), (2,)))
        yield Sample(_spread(dtype, *pair), {"body": running, **_sizes(0, 1, 4)}, smooth=dtype == float64)
    running = body_of(_running, *_kinds(float64, (2,), (2,)))
    yield Sample(_spread(float64, *pair), {"body": running, **_sizes(0, 1, 4, reverse=True)})
    yield Sample(tuple(map(with_gaps, _spread(float64, *pair))), {"body": running, **_sizes(0, 1, 4)})
    yield Sample(_spread(float64, (2,), (0, 2)), {"body": running, **_sizes(0, 1, 0)})
    recurrent = body_of(_recurrent, *_kinds(float64, (3, 3), (2, 3), (2, 3)))
    yield Sample(_spread(float64, (3, 3), (2, 3), (3, 2, 3)), {"body": recurrent, **_sizes(1, 1, 3)})
    counting = body_of(_counting, ArrayType((), int64), ArrayType((1,), float64))
    yield Sample((np.array(2), spread((1,), 0, 0.2)), {"body": counting, **_sizes(0, 2, 3)})
    doubled = body_of(_doubled, *_kinds(float64, (2,)))
    yield Sample(_spread(float64, (3, 2)), {"body": doubled, **_sizes(0, 0, 3)})
    added = body_of(_added, *_kinds(float64, (2,), (2,)))
    odd = np.array([[1.0, np.nan], [np.inf, -0.0], [-np.inf, 2.0]])
    yield Sample((odd[1], odd), {"body": added, **_sizes(0, 1, 3)}, smooth=False)


# -- cond


def _cubed(x: Value, y: Value) -> tuple[Value, ...]:
    return x * x * x + y, ew.sin(y)


def _product(x: Value, y: Value) -> tuple[Value, ...]:
    return x * y, x + 1.0


def cond() -> Iterator[Sample]:
    """Samples of cond."""
    for dtype, shape in ((float64, (2, 3)), (float32, (2, 3)), (float64, ()), (float64, (0,)), (float64, (1,))):
        kinds = _kinds(dtype, shape, shape)
        params = {"true_body": body_of(_cubed, *kinds), "false_body": body_of(_product, *kinds)}
        for predicate in (True, False):
            yield Sample((np.array(predicate), *_spread(dtype, shape, shape)), params, smooth=dtype == float64)
    kinds = _kinds(float64, (3,), (3,))
    params = {"true_body": body_of(_product, *kinds), "false_body": body_of(_cubed, *kinds)}
    x, y = map(with_gaps, _spread(float64, (3,), (3,)))
    yield Sample((np.array(False), x, y), params)
    yield Sample((np.array(False), np.array([np.nan, np.inf, -0.0]), y), params, smooth=False)


# -- while_loop


def _small(limit: Value, x: Value) -> tuple[Value, ...]:
    from . import reduction

    return (reduction.all(x < broadcasting.broadcast_to(limit, shape=x.shape), axes=tuple(range(x.ndim))),)


def _grown(limit: Value, x: Value) -> tuple[Value, ...]:
    return (x + ew.abs(x) + 1,)


def while_loop() -> Iterator[Sample]:
    """Samples of while_loop."""
    for dtype in (float64, float32, int64):
        for shape in ((3,), (1,), ()):
            yield _growing(dtype, spread(shape, -3, 3).astype(dtype))
    yield _growing(float64, with_gaps(spread((3,), -3, 3)))
    yield _growing(float64, np.array([1.0, np.nan, np.inf]))
    empty = np.zeros((0, 2))
    kinds = _kinds(float64, (0, 2), (0, 2))
    params = {"condition": body_of(_never, *kinds), "body": body_of(_grown, *kinds), "constants": 1}
    yield Sample((empty, empty), params)


def _never(limit: Value, x: Value) -> tuple[Value, ...]:
    from . import reduction

    return (reduction.any(x < limit, axes=(0, 1)),)


def _growing(dtype: DType, start: NumpyArray) -> Sample:
    kinds = _kinds(dtype, (), start.shape)
    params = {"condition": body_of(_small, *kinds), "body": body_of(_grown, *kinds), "constants": 1}
    return Sample((np.array(40, dtype), start), params)
