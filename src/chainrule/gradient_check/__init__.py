"""Check gradients of any order against central differences, in float64: the two questions a user asks."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from .. import random
from ..functions import astype
from ..ir.types import float64
from ..tensor import asarray
from .comparison import FIRST_STEP, Check, Checked, GradientReport, is_float

__all__ = ["Checked", "GradientReport", "check_gradients", "check_module"]


def check_gradients(
    function: Callable[..., Any],
    args: Sequence[Any],
    order: int = 2,
    eps: float | None = None,
    rtol: float = 1e-6,
    atol: float = 1e-9,
    directions: int | None = None,
) -> GradientReport:
    """Compare the gradients of `function` at `args` with central differences, up to the order given.

    args: a tuple of arguments, each an array or a container of arrays (a module too). Floats are taken as float64; the
    rest is kept. A result that is not one number is reduced with fixed random weights.
    Order 2 checks the gradient of <v, gradient> for a fixed random v, and so on.
    eps: the first step, 0.02 by default; smaller ones follow and are extrapolated, so the differences are good to
    about 1e-10. rtol: relative error allowed. atol: errors below atol · max(1, |value|) don't count.
    directions: check so many random directions of each array instead of each element; by default for arrays of more
    than 64 elements.
    The function must give the same result each time, and be smooth near the point.
    Raises GradientMismatchError that names the argument, the element and both numbers.

    >>> import chainrule as cr
    >>> check_gradients(lambda x: (cr.sin(x) * x).sum(), (cr.tensor([1.0, 2.0]),)).max_relative_error < 1e-8
    True
    """
    return Check(function, tuple(args), eps or FIRST_STEP, rtol, atol, directions).run(order)


def check_module(model: Any, inputs: Any, loss: Callable[[Any], Any], order: int = 1, **options: Any) -> GradientReport:
    """Check the gradient of `loss(model(*inputs))` by every parameter of a network, on a float64 copy.

    inputs: one array or a tuple of them. Random numbers (dropout) are the same in each evaluation. The network is
    checked as it is, in training or evaluation mode. options: those of `check_gradients`.
    """
    network = _float64_copy(model)
    given = tuple(map(_as_float64, inputs if isinstance(inputs, tuple) else (inputs,)))
    state = random.default_generator.get_state()

    def error(candidate: Any) -> Any:
        random.default_generator.set_state(state)
        return loss(candidate(*given))

    try:
        return check_gradients(error, (network,), order, **options)
    finally:
        random.default_generator.set_state(state)


def _float64_copy(model: Any) -> Any:
    network = copy.deepcopy(model)
    for each in (*network.parameters(), *network.buffers()):
        if each.dtype.kind == "f":
            each.recast(float64)
    return network


def _as_float64(leaf: Any) -> Any:
    return astype(asarray(leaf), float64) if is_float(leaf) else leaf
