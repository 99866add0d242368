"""Control flow that stays in the graph: `scan`, `cond`, `while_loop`.

The functions given to them are traced once. What they read from around them (parameters, values of the function being
traced or differentiated) becomes inputs of the loop or branch, so gradients reach it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from . import tree
from .closure import Body, closed
from .counts import checked_count
from .errors import ChainruleError, ConfigurationError, ShapeError, TraceError
from .ir.build import adopted, bind, is_recording
from .ir.graph import Value
from .ir.primitive import every
from .ir.types import ArrayType, as_integer
from .ops import control
from .ops.custom import Refusal, custom_gradient
from .ops.operators import astype, lift
from .source import user_source
from .tensor import Tensor, unwrap, wrap

Function = Callable[..., Any]

UNKNOWN_LENGTH = (
    "no gradient goes through while_loop{place}: how many steps it takes is not known before. Say how many there are "
    "at most (most_steps=100), use cr.scan, which takes a known number of steps, or cut the gradient with "
    "cr.stop_gradient"
)


def _values(nest: Any) -> tuple[list[Value], tree.Structure]:
    leaves, structure = tree.flatten(nest)
    return [lift(unwrap(leaf)) for leaf in leaves], structure


def _types(values: Sequence[Value]) -> list[ArrayType]:
    return [value.type for value in values]


def _tensors(structure: tree.Structure, values: Sequence[Any]) -> Any:
    return tree.unflatten(structure, [wrap(value) for value in values])


# -- scan


def scan(f: Function, init: Any, xs: Any = None, length: int | None = None, reverse: bool = False) -> tuple[Any, Any]:
    """Loop over the first axis of `xs`, carrying a state: gives (the last carry, all ys stacked).

    f: takes (carry, x), where x holds one slice of `xs`, and gives (carry, y); the carry keeps its structure, shapes
    and element types, from `init` on. `init`, `xs` and y are any containers of arrays, y also None: arrays of `xs` are
    (steps, ...), their slices (...); arrays of y are stacked to (steps, ...). length: the number of steps, needed where
    `xs` is None; x is None then. reverse: from the last slice to the first; ys[i] is still what xs[i] gave.

    f is called once, to trace it: what it changes in Python outside itself (a count, Python's random numbers) changes
    once for all steps. In a graph it is one equation, whatever the length, with exact derivatives of any order; for
    these it keeps what the derivative reads of each step.

    Raises ShapeError where the carry changes its structure or type, or the xs differ in length; ConfigurationError
    where no length is known, or it is negative; TraceError where f gives no pair, asks for the elements of an array or
    changes a tensor from outside (carry it along instead).

    >>> import chainrule as cr
    >>> total, running = cr.scan(lambda carry, x: (carry + x, carry * x), 0.0, cr.tensor([1.0, 2.0, 3.0]))
    >>> total, running
    (tensor(6.), tensor([0., 2., 9.]))
    """
    carry, carry_structure = _values(init)
    slices, x_structure = _values(xs)
    steps = _length(slices, length)
    kinds = [*_types(carry), *(control.element_of(value.type) for value in slices)]

    def call(inputs: Sequence[Tensor]) -> Any:
        x = tree.unflatten(x_structure, inputs[len(carry) :])
        new, y = _pair(f(tree.unflatten(carry_structure, inputs[: len(carry)]), x))
        structures.append(tree.structure(y))
        return _like("scan", carry_structure, new), y

    structures: list[tree.Structure] = []
    body = Body("cr.scan", f, kinds, call)
    _check_carry("scan", init, body, _types(carry))
    foreign, (graph,) = closed([body])
    if not graph.outputs:
        return init, tree.unflatten(structures[0], [])
    outputs = control.scanned(graph, [*foreign, *carry, *slices], len(foreign), len(carry), steps, bool(reverse))
    return _tensors(carry_structure, outputs[: len(carry)]), _tensors(structures[0], outputs[len(carry) :])


def _length(xs: Sequence[Value], length: int | None) -> int:
    sizes = [value.shape[0] if value.ndim else None for value in xs]
    if None in sizes:
        raise ShapeError("scan goes along the first axis of its xs, but was given a single number among them")
    if length is not None:
        sizes.insert(0, as_integer(length, "length"))
    if not sizes:
        raise ConfigurationError("scan needs xs or a length: one of them says how many steps to take")
    if len(set(sizes)) > 1:
        named = ["length", *_types(xs)] if length is not None else _types(xs)
        listed = ", ".join(f"{size} ({name})" for size, name in zip(sizes, named))
        raise ShapeError(f"scan takes one slice of each of its xs in a step, but the numbers of steps differ: {listed}")
    if sizes[0] is None or sizes[0] < 0:
        raise ConfigurationError(f"scan: length must not be negative, but is {length}")
    return sizes[0]


def _pair(result: Any) -> tuple[Any, Any]:
    if not isinstance(result, tuple) or len(result) != 2:
        raise TraceError("a function given to scan must return a pair (carry, y); y may be None")
    return result


def _like(name: str, structure: tree.Structure, new: Any) -> Any:
    try:
        return tree.unflatten(structure, tree.flatten_like(structure, new))
    except ChainruleError:
        raise ShapeError(
            f"{name}: the carry must keep its structure: expected {tree.describe(structure)}; "
            f"given {tree.describe(tree.structure(new))}"
        ) from None


def _check_carry(name: str, init: Any, body: Body, expected: Sequence[ArrayType]) -> None:
    body.retype(expected)
    for (path, _), kind, value in zip(tree.flatten_with_paths(init), expected, body.outputs):
        if value.type != kind:
            place = f" at {tree.path_text(path)}" if path else ""
            raise ShapeError(
                f"{name}: the carry{place} must keep its type: expected {kind}, as at the start; "
                f"given {value.type} by {body.name}; cast or reshape one of them"
            )


# -- cond


def cond(predicate: Any, true_function: Function, false_function: Function, *operands: Any) -> Any:
    """true_function(*operands) where `predicate` holds, a single bool or integer, else false_function(*operands).

    operands: any containers of arrays; what the functions read from outside need not be among them. Both are traced,
    which calls each once, and must give the same structure, shapes and element types; one of them runs. Gradients go
    through the one that ran. For a choice element by element use `where`.

    Raises ShapeError where the predicate is an array or a float, or the results differ in structure or type; TraceError
    where a function asks for the elements of an array or changes a tensor from outside.

    >>> import chainrule as cr
    >>> cr.cond(cr.tensor(3.0) > 2, lambda x: x * x, lambda x: -x, 5.0)
    tensor(25.)
    """
    chosen = lift(unwrap(predicate))
    if chosen.shape != () or chosen.dtype.kind == "f":
        raise ShapeError(f"cond: the predicate must be one bool, but is {chosen.type}; for arrays use cr.where")
    values, structure = _values(operands)

    def body(function: Function) -> Body:
        return Body("cr.cond", function, _types(values), lambda inputs: function(*tree.unflatten(structure, inputs)))

    bodies = [body(true_function), body(false_function)]
    if bodies[0].structure != bodies[1].structure:
        described = " and ".join(tree.describe(each.structure) for each in bodies)
        raise ShapeError(f"cond: both functions must give the same structure, but they give {described}")
    bodies[1].retype([value.type for value in bodies[0].outputs])
    bodies[0].retype([value.type for value in bodies[1].outputs])
    foreign, (true_body, false_body) = closed(bodies)
    if not true_body.outputs:
        return _tensors(bodies[0].structure, ())
    predicate = astype(chosen, bool)
    answer = bind(control.cond, predicate, *foreign, *values, true_body=true_body, false_body=false_body)
    return _tensors(bodies[0].structure, every(answer))


# -- while_loop


def while_loop(condition: Function, body: Function, init: Any, most_steps: int | None = None) -> Any:
    """Apply `body` to the carry, which begins as `init`, as long as `condition` of the carry holds; gives the carry.

    condition: gives one bool. The carry is any container of arrays, and keeps its structure, shapes and element types.
    Both functions are called once, to trace them. most_steps: end after so many at the latest, whether the condition
    still holds or not. Only then do gradients go through it, through the steps that were taken: it goes round as often
    as there may be steps, and a backward pass needs memory for as many.

    Raises ShapeError where the condition gives anything but one bool, or the carry changes its structure or type;
    ConfigurationError for a most_steps below 1; TraceError as `scan` does; and, where there is no most_steps,
    GradientError when a gradient through it is asked for.

    >>> import chainrule as cr
    >>> cr.while_loop(lambda x: x < 100, lambda x: x * 3, 1.0)
    tensor(243.)
    >>> cr.grad(lambda x: cr.while_loop(lambda x: x < 100, lambda x: x * 3, x, most_steps=20))(1.0)
    tensor(243.)
    """
    values, structure = _values(init)
    kinds = _types(values)
    goes_on = Body("cr.while_loop", condition, kinds, lambda inputs: condition(tree.unflatten(structure, inputs)))
    _check_condition(goes_on)
    step = Body(
        "cr.while_loop",
        body,
        kinds,
        lambda inputs: _like("while_loop", structure, body(tree.unflatten(structure, inputs))),
    )
    _check_carry("while_loop", init, step, kinds)
    if most_steps is not None:
        return _bounded(condition, body, _tensors(structure, values), checked_count("most_steps", most_steps))
    foreign, (goes_on_graph, step_graph) = closed([goes_on, step])
    inputs = [*foreign, *values]
    params = {"condition": goes_on_graph, "body": step_graph, "constants": len(foreign)}
    outputs = every(bind(control.while_loop, *inputs, **params))
    return _tensors(structure, _refusing(outputs, [adopted(value) for value in inputs]))


def _bounded(condition: Function, body: Function, init: Any, most_steps: int) -> Any:
    """As many rounds as there may be; those behind the end hand the carry on."""

    def step(carry: Any, _: None) -> tuple[Any, None]:
        return cond(condition(carry), body, lambda carry: carry, carry), None

    return scan(step, init, length=most_steps)[0]


def _check_condition(goes_on: Body) -> None:
    if [(value.shape, value.dtype.kind) for value in goes_on.outputs] != [((), "b")]:
        given = ", ".join(str(value.type) for value in goes_on.outputs) or "nothing"
        raise ShapeError(f"while_loop: its condition must give one bool, but gives {given}; use .all() or .any()")


def _refusing(outputs: Sequence[Value], inputs: Sequence[Value]) -> Sequence[Value]:
    """The outputs, such that whoever asks for gradients through them is told that there are none."""
    tracked = [value for value in inputs if value.tracked]
    if not tracked or not is_recording() or not any(value.type.is_float for value in outputs):
        return outputs
    rule = Refusal(UNKNOWN_LENGTH, user_source())
    return every(bind(custom_gradient, *outputs, *tracked, count=len(outputs), backward=rule))
