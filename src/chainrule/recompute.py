"""`checkpoint`: less memory for gradients, for some computing twice."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from . import tree
from .closure import Body, closed
from .ir.build import bind
from .ir.primitive import every
from .ops.operators import lift
from .ops.recompute import checkpoint as primitive
from .tensor import unwrap, wrap


def checkpoint(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, whose inner values are not kept for the gradient: the backward pass computes them once more.

    Between the two passes only the arguments, and what the function reads from outside (its weights), stay in memory.
    Values and gradients are the same to the bit; compiled, sums may be taken in another order. Positional arguments
    and results are arrays and numbers, in any containers; keyword arguments are handed on as they are. It nests with
    itself, with `grad`, `vmap`, `scan` and `compile`. Each call traces the function anew.

    Inside, nothing outside can be changed (running statistics, the random state that dropout moves): draw random
    numbers before, and give them as arguments. Raises TraceError where the function tries, or gives what is no array.
    Source: Chen et al. 2016, "Training deep nets with sublinear memory cost".

    >>> import chainrule as cr
    >>> cr.grad(cr.checkpoint(lambda x: cr.sin(x) ** 2))(0.5).item() == cr.grad(lambda x: cr.sin(x) ** 2)(0.5).item()
    True
    """

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = tree.flatten(args)
        values = [lift(unwrap(leaf)) for leaf in leaves]

        def call(inputs: Sequence[Any]) -> Any:
            return function(*tree.unflatten(structure, inputs), **kwargs)

        body = Body("cr.checkpoint", function, [value.type for value in values], call)
        foreign, (graph,) = closed([body])
        if not graph.outputs:
            return tree.unflatten(body.structure, [])
        results = every(bind(primitive, *foreign, *values, body=graph))
        return tree.unflatten(body.structure, map(wrap, results))

    return wrapped
