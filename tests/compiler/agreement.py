"""Whether native code agrees with the NumPy meaning of a graph, as closely as rounding allows.

The bound comes from the graph itself: the reference is run again and again, each rounded result moved by a unit or two
in its last place. What the outputs move by is how well they are determined. Where even NaN, infinity, a choice or an
integer changes, nothing is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from unittest import mock

import numpy as np

from chainrule.compiler.compile import compile_graph, run_once
from chainrule.errors import OutOfRangeError
from chainrule.ir.build import evaluate
from chainrule.ir.graph import Graph
from chainrule.ir.memory import aligned
from chainrule.ir.types import ArrayType
from chainrule.ops import control
from chainrule.reference import run

Array = np.ndarray[Any, Any]
RUNS, MORE_RUNS = 6, 60
SLACK = 32.0
EXACT = frozenset(
    {
        *("abs", "broadcast_to", "ceil", "concat", "flip", "floor", "gather", "identity", "max", "maximum", "min"),
        *("minimum", "negative", "pad", "permute_dims", "relu", "reshape", "round", "sign", "slice", "stop_gradient"),
        *("trunc", "where", "window_max", "window_pick", "window_spread", "real", "imag", "conj", "complex"),
        *("checkpoint", "cond", "custom_gradient", "scan", "while_loop"),
    }
)
"""Primitives that round nothing themselves: moving their results would break ties that are not broken."""

ADDED_UP = frozenset(
    {
        *("convolution", "convolution_input_gradient", "convolution_weight_gradient", "cumulative_sum", "matmul"),
        *("scatter_add", "sum", "triangle_product", "window_scatter", "window_sum"),
    }
)
"""Primitives that add up: the sign of a sum that is 0 depends on what it was begun with, and is not determined."""

NORMWISE = frozenset({"svd", "eigh", "qr"})
"""Decompositions: a zero of theirs is as good as a few units in the last place of the largest element."""


class Rounding:
    """How NumPy would compute if everything that rounds rounded in another way."""

    def __init__(self, seed: int) -> None:
        self.generator = np.random.default_rng(seed)
        self.lean = {0: -1.0, 1: 1.0}.get(seed, 0.0)  # the signs of zeros: all negative once, all positive once

    def moved(self, array: Array) -> Array:
        """Each element by up to two units in the last place; zeros, NaN and infinities stay."""
        if array.dtype.kind == "c":
            result = np.array(array)
            result.real, result.imag = self.moved(array.real), self.moved(array.imag)
            return result
        if array.dtype.kind != "f":
            return array
        unit = float(np.finfo(array.dtype).eps)
        with np.errstate(all="ignore"):
            return (array * (1 + unit * self.generator.uniform(-2, 2, array.shape))).astype(array.dtype)

    def _signed(self, array: Array) -> Array:
        """Zeros of either sign."""
        if array.dtype.kind != "f":
            return array
        signs = self.lean + self.generator.uniform(-1, 1, array.shape)
        return np.where(array == 0, np.copysign(array, signs.astype(array.dtype)), array)

    def _stirred(self, array: Array) -> Array:
        """Moved by up to two units of the largest element, wherever it lies."""
        if array.dtype.kind != "f" or not array.size:
            return array
        unit = float(np.finfo(array.dtype).eps) * float(np.max(np.abs(array), initial=0, where=np.isfinite(array)))
        return (array + unit * self.generator.uniform(-2, 2, array.shape)).astype(array.dtype)

    def evaluate(self, primitive: Any, arrays: list[Any], params: dict[str, Any], types: Any) -> tuple[Array, ...]:
        """The primitive's meaning, rounded so."""
        results = evaluate(primitive, arrays, params, types)
        name = primitive.name
        if name in EXACT or (name == "cast" and np.asarray(arrays[0]).dtype.kind not in "fc"):  # 2 stays even
            return results
        results = tuple(self.moved(each) for each in results)
        if name in ADDED_UP:
            return tuple(map(self._signed, results))
        return tuple(map(self._stirred, results)) if name in NORMWISE else results

    def run(self, graph: Graph, inputs: Sequence[Array]) -> list[Array]:
        """The outputs; the bodies of loops and branches round so too."""
        with mock.patch.object(control, "evaluate", self.evaluate):
            found = control.runner(graph)([self.moved(np.asarray(each)) for each in inputs])
        return [np.asarray(each) for each in found]


class Guarded:
    """Memory for a program, full of NaN, between two fences that it must not touch.

    shift: where arrays of numbers begin behind a line of the processor's cache, in bytes, as those of NumPy may.
    """

    FENCE = 256

    def __init__(self, shift: int = 0) -> None:
        self.shift = shift
        self.rooms: list[tuple[Array, int, int]] = []

    def __call__(self, kind: ArrayType) -> Array:
        start = self.FENCE + (self.shift if kind.dtype != np.uint8 else 0)
        room = aligned(ArrayType((start + kind.nbytes + self.FENCE,), np.dtype(np.uint8)))
        room[...] = 0xFF
        self.rooms.append((room, start, start + kind.nbytes))
        return np.ndarray(kind.shape, kind.dtype, room, start)

    def check(self) -> None:
        for room, start, stop in self.rooms:
            fences = np.concatenate([room[:start], room[stop:]])
            assert (fences == 0xFF).all(), f"written outside of {stop - start} bytes"


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
        compiled, memory, other_memory = compile_graph(graph, in_place), Guarded(), Guarded(shift=16)
        found = run_once(compiled, inputs, 1, memory)
        try:
            problems = _problems(graph, inputs, expected, found, RUNS)
            if problems:  # a choice that rounding decides now and then
                problems = _problems(graph, inputs, expected, found, MORE_RUNS)
        except OutOfRangeError:  # a computed index that rounding decides
            return
    assert not problems, "; ".join(problems)
    for number, (one, many) in enumerate(zip(found, run_once(compiled, inputs, threads, other_memory))):
        assert one.tobytes() == many.tobytes(), f"output {number} has other bits on {threads} threads"
    memory.check()
    other_memory.check()
    for before, after in zip(given, inputs):
        assert before.tobytes() == after.tobytes(), "an input was written to"


def _problems(
    graph: Graph, inputs: Sequence[Array], expected: Sequence[Array], found: Sequence[Array], count: int
) -> list[str]:
    """What is wrong with the outputs that were found, by so many runs that round in other ways."""
    runs = [Rounding(seed).run(graph, inputs) for seed in range(count)]
    told = (differences(want, have, [each[n] for each in runs]) for n, (want, have) in enumerate(zip(expected, found)))
    return [f"output {number}: {problem}" for number, problem in enumerate(told) if problem]
