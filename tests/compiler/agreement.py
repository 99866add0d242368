"""Whether native code agrees with the NumPy meaning of a graph, as closely as rounding allows.

The bound comes from the graph itself: the reference is run again and again, each rounded result moved by a unit or two
in its last place. What the outputs move by is how well they are determined. Where even NaN, infinity, a choice or an
integer changes, nothing is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.compiler.compile import compile_graph, run_once
from chainrule.errors import OutOfRangeError
from chainrule.ir.build import evaluate
from chainrule.ir.graph import Equation, Graph
from chainrule.reference import run

Array = np.ndarray[Any, Any]
RUNS = 6
SLACK = 32.0
EXACT = frozenset(
    {
        *("abs", "broadcast_to", "ceil", "concat", "flip", "floor", "gather", "identity", "max", "maximum", "min"),
        *("minimum", "negative", "pad", "permute_dims", "relu", "reshape", "round", "sign", "slice", "stop_gradient"),
        *("trunc", "where", "window_max", "window_pick", "window_spread", "real", "imag", "conj", "complex"),
        "custom_gradient",
    }
)
"""Primitives that round nothing: moving their results would break ties that are not broken."""

ADDED_UP = frozenset(
    {
        *("convolution", "convolution_input_gradient", "convolution_weight_gradient", "cumulative_sum", "matmul"),
        *("scatter_add", "sum", "triangle_product", "window_scatter", "window_sum"),
    }
)
"""Primitives that add up: the sign of a sum that is 0 depends on what it was begun with, and is not determined."""

NORMWISE = frozenset({"svd", "eigh", "qr"})
"""Decompositions: a zero of theirs is as good as a few units in the last place of the largest element."""


def moved(array: Array, generator: np.random.Generator, unit: float = 0.0) -> Array:
    """Each element by up to two units in the last place; zeros, NaN and infinities stay. unit: a coarser one."""
    if array.dtype.kind == "c":
        result = np.array(array)
        result.real, result.imag = (moved(part, generator, unit) for part in (array.real, array.imag))
        return result
    if array.dtype.kind != "f":
        return array
    unit = max(unit, float(np.finfo(array.dtype).eps))
    with np.errstate(all="ignore"):
        return (array * (1 + unit * generator.uniform(-2, 2, array.shape))).astype(array.dtype)


def _stirred(array: Array, generator: np.random.Generator) -> Array:
    """Moved by up to two units of the largest element, wherever it lies."""
    if array.dtype.kind != "f" or not array.size:
        return array
    unit = float(np.finfo(array.dtype).eps) * float(np.max(np.abs(array), initial=0, where=np.isfinite(array)))
    return (array + unit * generator.uniform(-2, 2, array.shape)).astype(array.dtype)


def unit_inside(equation: Equation) -> float:
    """How coarsely the bodies of a loop or branch round; 0 for other equations."""
    kinds = {
        value.dtype
        for body in equation.params.values()
        if isinstance(body, Graph)
        for inner in body.equations
        for value in inner.outputs
        if value.dtype.kind == "f"
    }
    return max((float(np.finfo(kind).eps) for kind in kinds), default=0.0)


def _is_of_integers(equation: Equation) -> bool:
    """Whether it casts numbers that nothing has rounded: 2 stays an even exponent."""
    return equation.primitive.name == "cast" and equation.inputs[0].dtype.kind not in "fc"


def run_moved(graph: Graph, inputs: Sequence[Array], seed: int) -> list[Array]:
    """The outputs when everything that rounds has rounded in another way."""
    generator = np.random.default_rng(seed)
    lean = {0: -1.0, 1: 1.0}.get(seed, 0.0)  # the signs of zeros: all negative once, all positive once
    known = {id(value): moved(np.asarray(array), generator) for value, array in zip(graph.inputs, inputs)}
    for equation in graph.equations:
        read = [known.get(id(value), value.data) for value in equation.inputs]
        results = evaluate(
            equation.primitive, read, dict(equation.params), tuple(value.type for value in equation.outputs)
        )
        for value, result in zip(equation.outputs, results):
            is_exact = equation.primitive.name in EXACT or _is_of_integers(equation)
            found = result if is_exact else moved(result, generator, unit_inside(equation))
            if equation.primitive.name in ADDED_UP and found.dtype.kind == "f":
                signs = lean + generator.uniform(-1, 1, found.shape)
                found = np.where(found == 0, np.copysign(found, signs.astype(found.dtype)), found)
            known[id(value)] = _stirred(found, generator) if equation.primitive.name in NORMWISE else found
    return [np.asarray(known.get(id(value), value.data)) for value in graph.outputs]


def differences(expected: Array, found: Array, runs: Sequence[Array]) -> str:
    """What is wrong with `found`, or nothing."""
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return f"{found.dtype}{found.shape} in place of {expected.dtype}{expected.shape}"
    if expected.dtype.kind != "f":
        settled = np.all([each == expected for each in runs], axis=0)
        wrong = settled & (found != expected)
        return _told(expected, found, wrong, None)
    settled = np.all([_kinds(each) == _kinds(expected) for each in runs], axis=0)
    with np.errstate(all="ignore"):
        spread = np.max([np.abs(each.astype(np.float64) - expected) for each in runs], axis=0)
        size = np.abs(expected.astype(np.float64))
        unit = float(np.finfo(expected.dtype).eps)
        bound = SLACK * spread + 8 * unit * size + float(np.finfo(expected.dtype).tiny)
        same = (expected == found) | (np.isnan(expected) & np.isnan(found))
        close = np.isfinite(expected) & (np.abs(found.astype(np.float64) - expected) <= bound)
    return _told(expected, found, settled & ~same & ~close, bound)


def _kinds(array: Array) -> Array:
    """0 for finite elements; NaN and the two infinities have numbers of their own."""
    return np.select([np.isnan(array), np.isposinf(array), np.isneginf(array)], [1, 2, 3], 0)


def _told(expected: Array, found: Array, wrong: Array, bound: Array | None) -> str:
    if not wrong.any():
        return ""
    place = tuple(int(each[0]) for each in np.nonzero(wrong)) if wrong.ndim else ()
    allowed = "" if bound is None else f", off by {abs(float(found[place]) - float(expected[place])):.3g}, "
    allowed += "" if bound is None else f"{bound[place]:.3g} allowed"
    return (
        f"{int(wrong.sum())} of {wrong.size} elements differ: at {place} {found[place]} for {expected[place]}{allowed}"
    )


def check(graph: Graph, inputs: Sequence[Array], in_place: Mapping[int, int] | None = None, threads: int = 2) -> None:
    """Native code gives what the reference gives; the same bits on one thread and on more; inputs are not touched."""
    given = [np.array(each) for each in inputs]
    with np.errstate(all="ignore"):
        expected = run(graph, inputs)
        try:
            runs = [run_moved(graph, inputs, seed) for seed in range(RUNS)]
        except OutOfRangeError:  # a computed index that rounding decides
            return
    compiled = compile_graph(graph, in_place)
    found = run_once(compiled, inputs)
    problems = []
    for number, (want, have) in enumerate(zip(expected, found, strict=True)):
        if problem := differences(want, have, [each[number] for each in runs]):
            problems.append(f"output {number}: {problem}")
    assert not problems, "; ".join(problems)
    for number, (one, many) in enumerate(zip(found, run_once(compiled, inputs, threads))):
        assert one.tobytes() == many.tobytes(), f"output {number} has other bits on {threads} threads"
    for before, after in zip(given, inputs):
        assert before.tobytes() == after.tobytes(), "an input was written to"
