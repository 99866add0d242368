"""All partial derivatives: jacobian and hessian, by rows (reverse mode) or by columns (forward mode)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import tree
from .autodiff import gradients
from .counts import checked_count_or_none
from .errors import ConfigurationError
from .ir.build import Trace, constant, is_recording, placeholder, recording, splat, tracing, zeros_like
from .ir.graph import Value
from .ir.types import ArrayType, NumpyArray
from .ops import batching_control, batching_rules  # noqa: F401  they fill the table of rules
from .ops.arrays import concat, moveaxis, reshape
from .ops.batching import Batcher
from .ops.structure import narrow
from .transforms import Run, by_argnums, dummy_like, grad, run_of, wrap_tree
from .wirtinger import Partials, check_choice, of_gradients, of_tangents, real_shape, real_size

Function = Callable[..., Any]
Linear = Callable[[Sequence[Value]], list[Value]]

MODES = (None, "reverse", "forward")


def jacobian(
    function: Function,
    argnums: int | Sequence[int] = 0,
    mode: str | None = None,
    chunk_size: int | None = None,
    wirtinger: str | None = None,
) -> Function:
    """A function that gives all partial derivatives of the result by the argument: shape (*result, *argument).

    For containers: a tree of the result's structure whose leaves are trees of the argument's structure.
    mode: "reverse" pulls back each element of the result, "forward" pushes each element of the argument forward; None
    takes what needs fewer passes. All passes are done at once; chunk_size: so many at a time, to save memory.
    Of a real result by a complex argument: its gradients, as `grad` gives them. A complex function of complex numbers
    needs wirtinger: "z" for ∂f/∂z, the derivative where there is a complex one, or "conjugate" for ∂f/∂z̄.
    Raises ConfigurationError for another mode. In compiled functions too, and nested to any order.

    >>> import chainrule as cr
    >>> cr.jacobian(lambda x: x**2)(cr.tensor([1.0, 2.0])).tolist()
    [[2.0, 0.0], [0.0, 4.0]]
    """
    chunk_size = checked_count_or_none("chunk_size", chunk_size)
    if mode not in MODES:
        raise ConfigurationError(f'mode is None, "reverse" or "forward", not {mode!r}')

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        chosen, call = by_argnums(function, args, argnums, kwargs)
        run = run_of(function, chosen, call)
        check_choice(wirtinger, run.inputs, run.outputs)
        partials = (_by_columns if _is_forward(run, mode) else _by_rows)(run, chunk_size)
        blocks = [[each.together(wirtinger) for each in row] for row in partials]
        trees = [wrap_tree(run.structure, block) for block in blocks]
        picked = [block[0] if isinstance(argnums, int) else block for block in trees]
        return tree.unflatten(run.output_structure, picked)

    return wrapped


def hessian(
    function: Function,
    argnums: int | Sequence[int] = 0,
    chunk_size: int | None = None,
    wirtinger: str | None = None,
) -> Function:
    """A function that gives all second derivatives of `function` (a single number): shape (*argument, *argument).

    For containers: a tree of blocks, rows of the argument's structure with leaves of that structure. See `jacobian`.
    Of complex arguments: the derivative of the gradient that `wirtinger` names.
    """
    return jacobian(grad(function, argnums), argnums, chunk_size=chunk_size, wirtinger=wirtinger)


def _is_forward(run: Run, mode: str | None) -> bool:
    if mode is not None:
        return mode == "forward"
    return sum(map(real_size, run.inputs)) < sum(map(real_size, run.outputs))


def _by_rows(run: Run, chunk_size: int | None) -> list[list[Partials]]:
    """For each output its derivatives by each input: one pull-back for each real number of the outputs."""
    floats = [output for output in run.outputs if output.type.is_float]

    def pull_back(cotangents: Sequence[Value]) -> list[Value]:
        given = iter(cotangents)
        seeds = [next(given) if output.type.is_float else None for output in run.outputs]
        return _filled(gradients(run.outputs, run.inputs, seeds), run.inputs)

    rows = iter(_at_unit_vectors(run, pull_back, floats, run.inputs, chunk_size))
    found = [next(rows) if output.type.is_float else _zeros(output, run.inputs) for output in run.outputs]
    return [[of_gradients(each, output) for each in row] for output, row in zip(run.outputs, found)]


def _by_columns(run: Run, chunk_size: int | None) -> list[list[Partials]]:
    """The same, by one push-forward for each real number of the inputs: pulling back through the pull-back."""
    floats = [output for output in run.outputs if output.type.is_float]

    def push(tangents: Sequence[Value]) -> list[Value]:
        dummies = [dummy_like(output) for output in run.outputs]
        wrt = [each for each in dummies if each is not None]
        found = gradients(run.outputs, run.inputs, dummies)
        used = [(each, tangent) for each, tangent in zip(found, tangents) if each is not None]
        return _filled(gradients([each for each, _ in used], wrt, [tangent for _, tangent in used]), floats)

    columns = _at_unit_vectors(run, push, run.inputs, floats, chunk_size)
    turned = ([of_tangents(_turned(each, value), value) for each in row] for row, value in zip(columns, run.inputs))
    rows = iter(zip(*turned))
    return [
        list(next(rows))
        if output.type.is_float
        else [of_gradients(each, output) for each in _zeros(output, run.inputs)]
        for output in run.outputs
    ]


def _filled(found: Sequence[Value | None], like: Sequence[Value]) -> list[Value]:
    return [zeros_like(value) if each is None else each for value, each in zip(like, found)]


def _turned(column: Value, value: Value) -> Value:
    """(*argument, *result) as (*result, *argument); a first axis of real and imaginary parts stays the first."""
    ahead = real_shape(value)[: len(real_shape(value)) - len(value.shape)]
    result = column.shape[len(real_shape(value)) :]
    flat = reshape(column, (*ahead, value.size, *result))
    return reshape(moveaxis(flat, len(ahead), -1), (*ahead, *result, *value.shape))


def _zeros(output: Value, inputs: Sequence[Value]) -> list[Value]:
    return [splat(0, ArrayType(real_shape(output) + value.shape, value.dtype)) for value in inputs]


def _at_unit_vectors(
    run: Run, linear: Linear, sources: Sequence[Value], results: Sequence[Value], chunk_size: int | None
) -> list[list[Value]]:
    """A linear function of all `sources` at every unit vector: for each source and result (*source, *result).

    A complex source has two for each element, 1 and i: for it (2, *source, *result).
    """
    sizes = [real_size(source) for source in sources]
    total = sum(sizes)
    if total == 0:
        return [_zeros(source, results) for source in sources]
    step = total if chunk_size is None else chunk_size
    parts = [_batched(run, linear, _units(sources, low, min(low + step, total))) for low in range(0, total, step)]
    found = parts[0] if len(parts) == 1 else [concat(list(each)) for each in zip(*parts)]
    blocks, start = [], 0
    for source, size in zip(sources, sizes):
        rows = [narrow(each, 0, start, start + size) for each in found]
        blocks.append([reshape(each, real_shape(source) + each.shape[1:]) for each in rows])
        start += size
    return blocks


def _units(sources: Sequence[Value], low: int, high: int) -> list[Value]:
    """For each source (high - low, *source): those of all unit vectors."""
    sizes = [real_size(source) for source in sources]
    parts = np.split(np.eye(high - low, sum(sizes), low), np.cumsum(sizes)[:-1], axis=1)
    return [constant(_unit_rows(part, source)) for part, source in zip(parts, sources)]


def _unit_rows(part: NumpyArray, source: Value) -> NumpyArray:
    """Zeros and ones, and i in the second half of those of a complex source."""
    rows = part.reshape(len(part), *real_shape(source))
    return np.ascontiguousarray(rows[:, 0] + 1j * rows[:, 1] if source.type.is_complex else rows, source.dtype)


def _batched(run: Run, linear: Linear, units: Sequence[Value]) -> list[Value]:
    """All at once: the equations for one vector are written down, then bound for the batch where `run` is."""
    with tracing(Trace()) as trace, recording(True):
        given = [placeholder(each.type.with_shape(each.shape[1:])) for each in units]
        found = linear(given)
    assert trace is not None
    batcher = Batcher(units[0].shape[0])
    for value, unit in zip(given, units):
        batcher.put(value, unit, True)
    with recording(is_recording() and run.depends_on_more):
        batcher.run(trace.equations)
        return [batcher.full(value) for value in found]
