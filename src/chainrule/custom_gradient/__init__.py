"""Functions with a gradient of their own: `@cr.custom_gradient`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, overload

from .. import tree
from ..ir.build import is_recording
from ..names import name_of
from .call import run
from .check import check_call

Function = Callable[..., Any]


@overload
def custom_gradient(function: Function, check: bool = True) -> Function: ...
@overload
def custom_gradient(function: None = None, check: bool = True) -> Callable[[Function], Function]: ...


def custom_gradient(function: Function | None = None, check: bool = True) -> Any:
    """A function whose gradient is the one you give: it returns (output, backward) and callers get the output.

    backward takes the cotangents of the output, in the output's structure, and returns those of the positional
    arguments: a tuple with one entry each (a single entry as it is), each in the structure of its argument, None for no
    gradient. Keyword arguments are handed on and get no gradient. Written with this package's functions, backward can
    be differentiated again, to any order; what it keeps from the forward run must then be computed with them too.

    check: at the first use with each signature (shapes and element types) the gradient is compared with central
    differences, in float64, along one fixed direction; a GradientMismatchError says by how much it is off. In a trace
    the inputs of the check are drawn from (0.25, 0.75). Use check=False for what differs on purpose (a
    straight-through estimator, a clipped gradient), has kinks, or draws random numbers.
    Raises GradientError where the output depends on a tracked tensor that is not an argument, or backward returns
    something that does not fit.

    >>> import chainrule as cr
    >>> @cr.custom_gradient
    ... def log1pexp(x):
    ...     e = cr.exp(x)
    ...     return cr.log(1 + e), lambda g: g * (1 - 1 / (1 + e))
    >>> cr.grad(log1pexp)(100.0).item()
    1.0
    """
    if function is None:
        return functools.partial(custom_gradient, check=check)
    checked: set[Any] = set()

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        call = run(function, args, kwargs)
        if not is_recording():
            return call.output
        call.refuse_foreign()
        if check and (signature := _signature((args, kwargs))) not in checked:
            check_call(function, call, kwargs)
            checked.add(signature)
        return call.bound()

    wrapped.__name__ = name_of(function)
    return wrapped


def _signature(arguments: Any) -> Any:
    """What the check depends on: structure, shapes, element types, and the arguments that are no arrays."""
    leaves, structure = tree.flatten(arguments)
    return structure, tuple((each.shape, each.dtype) if hasattr(each, "shape") else repr(each) for each in leaves)
