"""The trace context: `bind` applies a primitive. Outside a trace it computes at once; inside, it writes an equation."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import Any, NoReturn

import numpy as np

from ..errors import DtypeError, TraceError
from ..source import SourceLine, user_source
from .graph import Equation, Value
from .primitive import Primitive
from .types import ArrayType, NumpyArray


class Trace:
    """A graph being written: the equations so far.

    asked_precision: whether what products are taken in was asked for: then the graph depends on it.
    """

    asked_precision = False

    def __init__(self) -> None:
        self.equations: list[Equation] = []

    def adopt(self, inputs: tuple[Value, ...]) -> tuple[Value, ...]:
        """What stands in this trace for values that an operation is given; a capture puts placeholders for cells."""
        return inputs

    def found_cotangents(self, values: Sequence[Value], cotangents: Sequence[Value | None]) -> None:
        """A backward pass has computed the cotangents of these values; only readers of graphs want to know."""


class _Context(threading.local):
    """What this thread is doing: the trace it writes, and whether gradients are recorded."""

    def __init__(self) -> None:
        self.trace: Trace | None = None
        self.recording = True
        self.differentiating = False
        self.derives: tuple[str, SourceLine | None] | None = None
        self.check: Callable[..., None] | None = None
        self.precision = "float32"


_context = _Context()


def current_trace() -> Trace | None:
    """The trace being written in this thread, if any."""
    return _context.trace


def is_recording() -> bool:
    """Whether operations are recorded for gradients in this thread."""
    return _context.recording


@contextmanager
def _within(name: str, value: Any) -> Iterator[Any]:
    """One thing of this thread's context is `value` inside the block, and afterwards what it was."""
    before = getattr(_context, name)
    setattr(_context, name, value)
    try:
        yield value
    finally:
        setattr(_context, name, before)


def tracing(trace: Trace | None) -> AbstractContextManager[Trace | None]:
    """Write into `trace` inside the block; None computes at once even inside a trace."""
    return _within("trace", trace)


def recording(enabled: bool) -> AbstractContextManager[None]:
    """Record operations for gradients, or not, inside the block."""
    return _within("recording", enabled)


def is_differentiating() -> bool:
    """Whether this thread runs a function that a transform (`grad`, `jvp`) takes gradients of."""
    return _context.differentiating


def differentiating() -> AbstractContextManager[None]:
    """A transform runs the function inside the block."""
    return _within("differentiating", True)


def precision() -> str:
    """What the operands of products are rounded to in this thread: "float32" or "bfloat16"."""
    return _context.precision


def precision_place() -> tuple[Any, str]:
    """The object, and the name of its attribute, where this thread keeps its `precision`."""
    return _context, "precision"


def products_in(name: str) -> AbstractContextManager[None]:
    """Round the operands of products to `name` inside the block."""
    return _within("precision", name)


def deriving(equation: Equation) -> AbstractContextManager[None]:
    """What is written inside the block belongs to the derivative of `equation`."""
    return _within("derives", equation.derives or (equation.primitive.name, equation.source))


def checking(check: Callable[..., None] | None) -> AbstractContextManager[None]:
    """Inside the block every operation that is computed at once is shown to check(primitive, inputs, params, ...)."""
    return _within("check", check)


IN_FLOAT32: list[Callable[..., Any]] = []
"""How an operation that takes no bfloat16 is done on it: (primitive, inputs, params) -> its result."""


def bind(primitive: Primitive, *inputs: Value, **params: Any) -> Any:
    """Apply `primitive`: one Value, or a tuple of them for a primitive with several outputs.

    Inside a trace an operation on constants alone is computed at once: its result is one more constant.
    """
    if _context.trace is not None:
        inputs = _context.trace.adopt(inputs)
    try:
        answer = primitive.type_rule(*[value.type for value in inputs], **params)
    except DtypeError:
        if not any(value.type.dtype.kind == "V" for value in inputs):
            raise
        return IN_FLOAT32[0](primitive, inputs, params)
    single = type(answer) is ArrayType
    types: tuple[ArrayType, ...] = (answer,) if single else answer
    tracked, concrete = False, True
    for value in inputs:
        tracked = tracked or value.tracked
        concrete = concrete and value.data is not None
    tracked = tracked and _context.recording and primitive.differentiable
    if concrete and (_context.trace is None or not tracked):
        outputs = _compute(primitive, inputs, params, types, tracked)
    else:
        outputs = _write(primitive, inputs, params, types, tracked)
    return outputs[0] if single else outputs


Primitive.__call__ = bind


def _write(
    primitive: Primitive, inputs: tuple[Value, ...], params: dict[str, Any], types: tuple[ArrayType, ...], tracked: bool
) -> tuple[Value, ...]:
    trace = _context.trace
    if trace is None:
        raise_leaked(primitive)
    equation = Equation(primitive, inputs, params, user_source())
    equation.derives = _context.derives
    trace.equations.append(equation)
    return equation.produce(types, tracked)


def _compute(
    primitive: Primitive, inputs: tuple[Value, ...], params: dict[str, Any], types: tuple[ArrayType, ...], tracked: bool
) -> tuple[Value, ...]:
    arrays = evaluate(primitive, [value.data for value in inputs], params, types)
    if _context.check is not None:
        _context.check(primitive, inputs, params, arrays, _context.derives)
    if not tracked:
        return tuple([Value(kind, array) for kind, array in zip(types, arrays)])
    equation = Equation(primitive, inputs, params, user_source())
    equation.derives = _context.derives
    return equation.produce_eagerly(types, arrays)


def evaluate(
    primitive: Primitive, arrays: list[Any], params: dict[str, Any], types: tuple[ArrayType, ...]
) -> tuple[NumpyArray, ...]:
    """The primitive's meaning in NumPy. Overflow and division by zero give inf and NaN, without a warning."""
    with np.errstate(all="ignore"):
        result = primitive.numpy(*arrays, **params)
    results = result if type(result) is tuple else (result,)
    return tuple([_conform(array, kind) for array, kind in zip(results, types)])


def _conform(array: Any, kind: ArrayType) -> NumpyArray:
    """NumPy turns zero-dimensional arrays into scalars; values are always arrays of the type that was promised."""
    if type(array) is np.ndarray and array.dtype == kind.dtype:
        return array
    return np.asarray(array, kind.dtype)


def raise_leaked(primitive: Primitive) -> NoReturn:
    """A traced value was used after its trace ended."""
    raise TraceError(
        f"{primitive.name} was given a traced value outside the trace that made it; return it from the traced "
        "function instead of storing it"
    )


def adopted(value: Value) -> Value:
    """What stands for `value` in the present trace, if there is one."""
    return value if _context.trace is None else _context.trace.adopt((value,))[0]


def constant(array: NumpyArray) -> Value:
    """A value that is known: no copy is taken, so nobody may write to `array` later."""
    return Value(ArrayType(array.shape, array.dtype), array)


def leaf(array: NumpyArray) -> Value:
    """A known value that gradients can be taken with respect to."""
    kind = ArrayType(array.shape, array.dtype)
    return Value(kind, array, tracked=kind.is_float, source=user_source())


def placeholder(kind: ArrayType) -> Value:
    """An input of a graph."""
    return Value(kind, tracked=kind.is_float, source=user_source())


def splat(number: Any, kind: ArrayType) -> Value:
    """A constant whose elements are all `number`: one number in memory, whatever the shape."""
    if kind.dtype.kind == "c" and not isinstance(number, int | float):
        return _splat(number, kind)
    if number == 0 and math.copysign(1, number) < 0:  # as a key of a cache -0.0 would be 0.0
        return _splat(number, kind)
    return _cached_splat(number, kind)


def _splat(number: Any, kind: ArrayType) -> Value:
    with np.errstate(over="ignore"):  # a number too large for its type is infinite
        return Value(kind, np.broadcast_to(np.asarray(number).astype(kind.dtype), kind.shape))


_cached_splat = lru_cache(maxsize=2048)(_splat)


def zeros_like(value: Value) -> Value:
    """A constant of zeros of the type of `value`."""
    return splat(0, value.type)
