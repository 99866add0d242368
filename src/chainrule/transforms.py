"""Functions that give gradients of functions: grad, vjp, jvp, hvp. Arguments may be containers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from . import tree
from .autodiff import gradients
from .block import Block
from .errors import ConfigurationError, GradientError
from .ir.build import adopted, bind, current_trace, differentiating, is_recording, leaf, recording, splat, zeros_like
from .ir.graph import Value
from .ir.types import is_real_float
from .ir.walk import ancestors
from .names import name_of
from .ops import elementwise as ew
from .ops.operators import lift
from .records import dataclass
from .tensor import Tensor, unwrap, wrap

Function = Callable[..., Any]


class no_grad(Block):  # PyTorch's name
    """Inside the block, or the decorated function, nothing is recorded for gradients. Blocks may be nested."""

    def _inside(self) -> AbstractContextManager[None]:
        return recording(False)

    def _recreate_cm(self) -> no_grad:
        return no_grad()


@dataclass
class Run:
    """One run of a function on fresh copies of the arguments that are differentiated."""

    inputs: list[Value]
    structure: tree.Structure
    outputs: list[Value]
    output_structure: tree.Structure
    aux: Any

    @functools.cached_property
    def depends_on_more(self) -> bool:
        """Whether what came out can be differentiated also by something other than the fresh copies."""
        if any(source.tracked for value in self.inputs if value.equation for source in value.equation.inputs):
            return True
        own = {id(value) for value in self.inputs}
        read = (value for equation in ancestors(self.outputs) for value in equation.inputs)
        return any(value.tracked and value.equation is None and id(value) not in own for value in read)

    def pull_back(self, cotangents: Sequence[Value | None] | None) -> list[Value]:
        """Cotangents of the inputs, given those of the outputs."""
        with recording(is_recording() and (self.depends_on_more or _any_tracked(cotangents or ()))):
            found = gradients(self.outputs, self.inputs, cotangents)
        return [zeros_like(value) if each is None else each for value, each in zip(self.inputs, found)]

    def as_inputs(self, values: Sequence[Value]) -> Any:
        """Values in the structure of the arguments, as tensors."""
        return wrap_tree(self.structure, values)


def _any_tracked(values: Sequence[Value | None]) -> bool:
    return any(value is not None and value.tracked for value in values)


def wrap_tree(structure: tree.Structure, values: Sequence[Value]) -> Any:
    """Values as a tree of tensors."""
    return tree.unflatten(structure, map(wrap, values))


def _fresh(argument: Any) -> Value:
    """A copy that gradients are taken with respect to; what led to the argument is not part of the question."""
    value = adopted(lift(unwrap(argument)))
    if not value.type.is_float:
        raise GradientError(f"gradients are taken with respect to floats, but an argument is {value.type}; use argnums")
    if value.tracked or value.data is None:
        copy: Value = bind(ew.identity, value)
        copy.tracked = True  # also that of a traced value through which no gradient flows: a buffer, what was detached
        getattr(current_trace(), "asked", set[int]()).add(id(copy.equation))
        return copy
    return leaf(value.data)


def run_of(function: Function, chosen: Any, call: Callable[[Any], Any], has_aux: bool = False) -> Run:
    leaves, structure = tree.flatten(chosen)
    with recording(True), differentiating():
        inputs = [_fresh(each) for each in leaves]
        result = call(wrap_tree(structure, inputs))
    result, aux = _split_aux(function, result) if has_aux else (result, None)
    output_leaves, output_structure = tree.flatten(result)
    outputs = [lift(unwrap(each)) for each in output_leaves]
    return Run(inputs, structure, outputs, output_structure, aux)


def _split_aux(function: Function, result: Any) -> tuple[Any, Any]:
    if not isinstance(result, tuple) or len(result) != 2:
        raise ConfigurationError(f"with has_aux=True {name_of(function)} must return a pair (result, aux)")
    return result


def by_argnums(function: Function, args: tuple[Any, ...], argnums: int | Sequence[int], kwargs: Any) -> Any:
    places = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for place in places:
        if not -len(args) <= place < len(args):
            raise ConfigurationError(f"argnums={argnums} names argument {place}, but {len(args)} were given")
    places = tuple(place % len(args) for place in places)
    if len(set(places)) != len(places):
        raise ConfigurationError(f"argnums={argnums} names one argument twice")

    def call(chosen: Sequence[Any]) -> Any:
        new = dict(zip(places, chosen))
        return function(*(new.get(place, each) for place, each in enumerate(args)), **kwargs)

    return tuple(args[place] for place in places), call


def value_and_grad(function: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Function:
    """A function that gives (value, gradient) of `function`, which must give a single number.

    argnums: which arguments to differentiate; a sequence gives a tuple of gradients. Arguments may be arrays or any
    containers of them, modules too. has_aux: `function` gives (value, aux), and the result is ((value, aux), gradient).
    """

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        chosen, call = by_argnums(function, args, argnums, kwargs)
        run = run_of(function, chosen, call, has_aux)
        if len(run.outputs) != 1 or run.outputs[0].size != 1:
            shapes = ", ".join(str(output.type) for output in run.outputs)
            raise GradientError(f"grad needs a function of one number, but it gave {shapes}; use cr.jacobian or cr.vjp")
        if not is_real_float(run.outputs[0].dtype):
            raise GradientError(f"grad needs a function that gives a float, but it gave {run.outputs[0].type}")
        found = run.as_inputs(run.pull_back(None))
        value = _detached(wrap_tree(run.output_structure, run.outputs), run)
        answer = (value, _detached(run.aux, run)) if has_aux else value
        return answer, (found[0] if isinstance(argnums, int) else found)

    return wrapped


def _detached(value: Any, run: Run) -> Any:
    """Results keep their history only where something outside can still be differentiated."""
    if is_recording() and run.depends_on_more:
        return value
    return tree.map(lambda each: each.detach() if isinstance(each, Tensor) and each.requires_grad else each, value)


def grad(function: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Function:
    """A function that gives the gradient of `function`, which must give a single number.

    With has_aux it gives (gradient, aux). See `value_and_grad`.

    >>> import chainrule as cr
    >>> cr.grad(cr.grad(lambda x: x**3))(2.0).item()
    12.0
    """
    both = value_and_grad(function, argnums, has_aux)

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        value, found = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return wrapped


def vjp(function: Function, *primals: Any) -> tuple[Any, Function]:
    """(result, pullback): pullback(cotangents of the result) gives the cotangents of all primals, as a tuple."""
    run = run_of(function, primals, lambda chosen: function(*chosen))

    def pullback(cotangents: Any) -> Any:
        given = _matched(run.output_structure, run.outputs, cotangents, "cotangent")
        return run.as_inputs(run.pull_back(given))

    return _detached(wrap_tree(run.output_structure, run.outputs), run), pullback


def _matched(structure: tree.Structure, values: Sequence[Value], given: Any, name: str) -> list[Value]:
    leaves = tree.flatten_like(structure, given)
    lifted = [lift(unwrap(each), value.dtype) for each, value in zip(leaves, values)]
    for value, each in zip(values, lifted):
        if each.type != value.type:
            raise GradientError(f"a {name} must have the type of its value: expected {value.type}, given {each.type}")
    return lifted


def jvp(function: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """(result, tangent of the result) of `function` at `primals` when they move along `tangents`.

    The pullback is linear in its cotangent, so pulling back through the pullback pushes forward.
    """
    run = run_of(function, tuple(primals), lambda chosen: function(*chosen))
    along = _matched(run.structure, run.inputs, tuple(tangents), "tangent")
    with recording(True):
        dummies = [dummy_like(output) for output in run.outputs]
        found = gradients(run.outputs, run.inputs, dummies)
    used = [(each, tangent) for each, tangent in zip(found, along) if each is not None]
    wrt = [dummy for dummy in dummies if dummy is not None]
    with recording(is_recording() and (run.depends_on_more or _any_tracked(along))):
        pushed = iter(gradients([each for each, _ in used], wrt, [tangent for _, tangent in used]))
    results = [
        zero_if_none(output, None if dummy is None else next(pushed)) for output, dummy in zip(run.outputs, dummies)
    ]
    return _detached(wrap_tree(run.output_structure, run.outputs), run), wrap_tree(run.output_structure, results)


def dummy_like(output: Value) -> Value | None:
    if not output.type.is_float:
        return None
    return Value(output.type, splat(0, output.type).data, tracked=True)


def zero_if_none(value: Value, found: Value | None) -> Value:
    return zeros_like(value) if found is None else found


def hvp(function: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """Hessian of `function` (a single number) at `primals` times `tangents`: as a tuple, one for each primal."""
    run = run_of(function, tuple(primals), lambda chosen: function(*chosen))
    along = _matched(run.structure, run.inputs, tuple(tangents), "tangent")
    with recording(True):
        first = gradients(run.outputs, run.inputs)
    used = [(each, tangent) for each, tangent in zip(first, along) if each is not None]
    with recording(is_recording() and (run.depends_on_more or _any_tracked(along))):
        second = gradients([each for each, _ in used], run.inputs, [tangent for _, tangent in used])
    return run.as_inputs([zero_if_none(value, each) for value, each in zip(run.inputs, second)])


def stop_gradient(x: Any) -> Tensor:
    """x, with no gradient flowing back through it."""
    result: Tensor = wrap(bind(ew.stop_gradient, lift(unwrap(x))))
    return result
