"""vmap: a function of one example as a function of a batch, computed for all at once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from . import tree
from .closure import Body
from .counts import checked_count_or_none
from .errors import ConfigurationError, ShapeError
from .ir.build import adopted
from .ir.graph import Value
from .ir.types import ArrayType, normalize_axis
from .ir.walk import ancestors
from .ops import batching_control, batching_rules  # noqa: F401  they fill the table of rules
from .ops.arrays import concat, moveaxis
from .ops.batching import Batcher
from .ops.operators import lift
from .ops.structure import narrow
from .tensor import unwrap, wrap

Function = Callable[..., Any]
Axes = int | None | Sequence[Any] | dict[str, Any]


def vmap(function: Function, in_axes: Axes = 0, out_axes: Axes = 0, chunk_size: int | None = None) -> Function:
    """`function`, written for one example, for a batch of them: every argument gets an axis of examples.

    in_axes: where the examples lie in each argument: an axis for all, or a tuple with one entry for each argument: an
    axis, None for what is the same for all examples (weights), or a container like the argument. out_axes: where they
    are to lie in the results. chunk_size: so many examples at a time, to save memory.

    Each operation is done once for the whole batch; it nests with itself, with `grad` and with `compile`.
    `vmap(grad(loss), (None, 0, 0))(model, inputs, labels)` gives the gradients of each sample, in the structure of the
    model. Keyword arguments are the same for all. Random numbers are drawn outside, one for each example.
    Raises ShapeError where the arguments hold different numbers of examples, ConfigurationError for unfit axes.

    >>> import chainrule as cr
    >>> cr.vmap(lambda x, y: (x * y).sum())(cr.ones((5, 3)), cr.ones((5, 3))).shape
    (5,)
    """
    chunk_size = checked_count_or_none("chunk_size", chunk_size)

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = tree.flatten(args)
        values = [adopted(lift(unwrap(leaf))) for leaf in leaves]
        axes = _axes_of_arguments(args, in_axes)
        size = _size(values, axes)
        fronted = [value if axis is None else moveaxis(value, axis, 0) for value, axis in zip(values, axes)]
        flags = [axis is not None for axis in axes]

        def call(inputs: Sequence[Any]) -> Any:
            return function(*tree.unflatten(structure, inputs), **kwargs)

        parts = [_run(function, call, part, flags) for part in _chunks(fronted, flags, size, chunk_size)]
        outputs, results = parts[0]
        if len(parts) > 1:
            outputs = [concat(list(each)) for each in zip(*(part for part, _ in parts))]
        placed = [_moved(value, axis) for value, axis in zip(outputs, _axes_of_results(results, out_axes))]
        return tree.unflatten(results, map(wrap, placed))

    return wrapped


def _chunks(values: list[Value], flags: list[bool], size: int, chunk_size: int | None) -> Iterator[list[Value]]:
    step = size if chunk_size is None else chunk_size
    for low in range(0, max(size, 1), max(step, 1)):
        high = min(low + step, size)
        yield [narrow(value, 0, low, high) if flag else value for value, flag in zip(values, flags)]


def _run(
    function: Function, call: Callable[..., Any], values: list[Value], flags: list[bool]
) -> tuple[list[Value], tree.Structure]:
    """Outputs, all with the batch axis in front, and the structure of the results."""
    kinds = [value.type.with_shape(value.shape[1:]) if flag else value.type for value, flag in zip(values, flags)]
    size = next((value.shape[0] for value, flag in zip(values, flags) if flag), 0)
    body = Body("cr.vmap", function, kinds, call)
    batcher = Batcher(size)
    for outer, stand_in in body.trace.foreign.values():
        batcher.put(stand_in, outer, False)
    for placeholder, value, flag in zip(body.inputs, values, flags):
        batcher.put(placeholder, value, flag)
    batcher.run(ancestors(body.outputs))
    return [batcher.full(value) for value in body.outputs], body.structure


def _moved(value: Value, axis: int | None) -> Value:
    if axis is None:
        raise ConfigurationError("out_axes says where the examples lie in each result; it can't be None")
    return moveaxis(value, 0, normalize_axis(axis, value.ndim))


def _size(values: list[Value], axes: list[int | None]) -> int:
    """How many examples there are."""
    sizes: dict[int, ArrayType] = {}
    for value, axis in zip(values, axes):
        if axis is not None:
            if value.ndim == 0:
                raise ShapeError(f"vmap: an argument is a single number ({value.type}), which holds no examples")
            sizes.setdefault(value.shape[normalize_axis(axis, value.ndim)], value.type)
    if not sizes:
        raise ConfigurationError("vmap needs at least one argument with an axis of examples; in_axes are all None")
    if len(sizes) > 1:
        listed = ", ".join(f"{size} ({kind})" for size, kind in sizes.items())
        raise ShapeError(f"vmap: the arguments hold different numbers of examples: {listed}")
    return next(iter(sizes))


def _axes_of_arguments(args: tuple[Any, ...], in_axes: Axes) -> list[int | None]:
    """One axis, or None, for each leaf of the arguments."""
    if in_axes is None or isinstance(in_axes, int):
        return [in_axes] * len(tree.leaves(args))
    if isinstance(in_axes, dict) or len(in_axes) != len(args):
        raise ConfigurationError(f"in_axes needs one entry for each of {len(args)} arguments, but is {in_axes!r}")
    return [axis for argument, axes in zip(args, in_axes) for axis in _spread(argument, axes)]


def _spread(argument: Any, axes: Axes) -> list[int | None]:
    """`axes` for an argument: one for all its leaves, or a container like it."""
    if axes is None or isinstance(axes, int):
        return [axes] * len(tree.leaves(argument))
    if isinstance(axes, dict) and isinstance(argument, dict) and axes.keys() == argument.keys():
        return [axis for key in argument for axis in _spread(argument[key], axes[key])]
    if isinstance(axes, tuple | list) and isinstance(argument, tuple | list) and len(axes) == len(argument):
        return [axis for each, own in zip(argument, axes) for axis in _spread(each, own)]
    raise ConfigurationError(f"axes {axes!r} do not have the structure of the argument they are for")


def _axes_of_results(structure: tree.Structure, out_axes: Axes) -> list[int | None]:
    count = structure.leaf_count
    if out_axes is None or isinstance(out_axes, int):
        return [out_axes] * count
    return _spread(tree.unflatten(structure, [0] * count), out_axes)
