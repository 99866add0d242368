"""One call of a function with a gradient of its own: what it gave, and the user's rule, checked when it is used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any, NoReturn

import numpy as np

from .. import tree
from ..errors import GradientError
from ..ir.build import adopted, current_trace, is_recording
from ..ir.graph import Value
from ..ir.primitive import every
from ..ir.types import is_real_float
from ..names import name_of
from ..ops.custom import custom_gradient as primitive
from ..ops.operators import astype, lift
from ..records import dataclass
from ..tensor import Tensor, unwrap, wrap

Function = Callable[..., Any]


@dataclass
class Call:
    """One call of a function with a gradient of its own.

    exact: whether the rule must give the element types of the arguments, or may be cast to them (in the check).
    """

    name: str
    args: tuple[Any, ...]
    output: Any
    backward: Function
    exact: bool = True
    inputs: list[Value] = field(init=False)
    outputs: list[Value] = field(init=False)

    def __post_init__(self) -> None:
        self.inputs = [unwrap(leaf) for leaf in tree.leaves(self.args) if is_input(leaf)]
        self.outputs = [lift(unwrap(leaf)) for leaf in tree.leaves(self.output)]

    def refuse_foreign(self) -> None:
        """Raise where the output depends on something tracked that is not an argument: its gradient would be lost."""
        arguments = {
            id(value) for leaf in tree.leaves(self.args) if isinstance(leaf, Tensor) for value in (leaf._value,)
        }
        waiting, seen = list(self.outputs), set(arguments)
        while waiting:
            value = waiting.pop()
            if not value.tracked or id(value) in seen:
                continue
            seen.add(id(value))
            if value.equation is None:
                _raise_foreign(self.name, value)
            waiting.extend(value.equation.inputs)

    def bound(self) -> Any:
        """The output, connected to the inputs by the user's rule."""
        if not any(value.tracked for value in self.inputs):
            return self.output
        results = every(primitive(*self.outputs, *self.inputs, count=len(self.outputs), backward=Rule(self)))
        return tree.unflatten(tree.structure(self.output), map(wrap, results))

    def pull_back(self, cotangents: Sequence[Value]) -> list[Value | None]:
        """The cotangents of the inputs by the user's rule, checked."""
        result = self.backward(tree.unflatten(tree.structure(self.output), map(wrap, cotangents)))
        found: list[Value | None] = []
        for position, (argument, given) in enumerate(zip(self.args, self._one_for_each(result))):
            pairs = _matched(self.name, f"argument {position}", argument, given)
            found += [self._fitting(place, leaf, each) for place, leaf, each in pairs if is_input(leaf)]
        return found

    def _one_for_each(self, result: Any) -> Sequence[Any]:
        if len(self.args) == 1 and not (isinstance(result, tuple | list) and len(result) == 1):
            return (result,)
        if isinstance(result, tuple | list) and len(result) == len(self.args):
            return result
        given = f"{len(result)} gradients" if isinstance(result, tuple | list) else f"a {type(result).__name__}"
        raise GradientError(
            f"{self.name}: backward must return one gradient for each of the {len(self.args)} positional arguments "
            f"(None for none), but it returned {given}"
        )

    def _fitting(self, place: str, leaf: Tensor, given: Any) -> Value | None:
        if given is None:
            return None
        value = lift(unwrap(given), leaf.dtype)
        value = value if self.exact else astype(value, leaf.dtype)
        if value.type != leaf._value.type:
            raise GradientError(
                f"{self.name}: backward returned {value.type} for {place}, which is {leaf._value.type}: "
                "a gradient has the shape and element type of its argument"
            )
        return value


class Rule:
    """The user's rule as the primitive calls it: once for each input, while backward runs once for all."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._last: tuple[tuple[Any, ...], list[Value | None]] | None = None
        self.__name__ = call.name

    def __call__(self, cotangents: tuple[Value, ...], position: int) -> Value | None:
        # The same cotangents may come again in another trace, or when gradients of gradients are recorded.
        asked = (*cotangents, is_recording(), current_trace())
        if self._last is None or not _same(self._last[0], asked):
            self._last = (asked, self._call.pull_back(cotangents))
        return self._last[1][position]


def _same(first: tuple[Any, ...], second: tuple[Any, ...]) -> bool:
    return len(first) == len(second) and all(one is other for one, other in zip(first, second))


def run(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any], exact: bool = True) -> Call:
    """Call the function on tensors; its result must be (output, backward)."""
    name = name_of(function)
    tensors = tree.map(_as_tensor, args)
    result = function(*tensors, **kwargs)
    if not isinstance(result, tuple) or len(result) != 2 or not callable(result[1]):
        raise GradientError(f"{name}: a function with a custom gradient must return (output, backward function)")
    return Call(name, tensors, *result, exact=exact)


def _as_tensor(leaf: Any) -> Any:
    if isinstance(leaf, np.ndarray | np.generic | Value):
        return wrap(lift(leaf))
    if isinstance(leaf, Tensor) and (stand_in := adopted(leaf._value)) is not leaf._value:
        return wrap(stand_in)  # in the body of a loop: a value from outside
    return leaf


def is_input(leaf: Any) -> bool:
    """Whether a leaf of the arguments gets a gradient."""
    return isinstance(leaf, Tensor) and is_real_float(leaf.dtype)


def _matched(name: str, place: str, argument: Any, given: Any) -> list[tuple[str, Any, Any]]:
    """(place, leaf, cotangent) of each leaf of an argument; a None stands for None everywhere below it."""
    children = tree.children_of(argument)
    if children is None:
        return [(place, argument, given)]
    inside = tree.children_of(given)
    values: Sequence[Any] = [None] * len(children.values) if given is None else inside.values if inside else ()
    if given is not None and (inside is None or inside.keys != children.keys):
        raise GradientError(
            f"{name}: backward must return for {place} a {type(argument).__name__} with the entries "
            f"{', '.join(map(str, children.keys))}, but it returned a {type(given).__name__}"
        )
    pairs = zip(children.keys, children.values, values)
    return [found for key, child, each in pairs for found in _matched(name, f"{place}.{key}", child, each)]


def _raise_foreign(name: str, value: Value) -> NoReturn:
    place = f", made at {value.source}" if value.source else ""
    raise GradientError(
        f"{name} has a gradient of its own but depends on a tensor that requires a gradient and is not an argument "
        f"({value.type}{place}): its gradient would be lost. Pass it as an argument, or use detach()"
    )
