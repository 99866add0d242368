"""The check of a custom gradient at its first use: one directional derivative for each input, in float64."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import differences, tree
from ..errors import ChainruleError, GradientMismatchError, TraceError
from ..ir.build import constant, leaf, recording, tracing
from ..ir.types import ArrayType, NumpyArray, float64
from ..ops.samples import spread
from ..tensor import Tensor, wrap
from .call import Call, is_input, run

Function = Callable[..., Any]
Arrays = list[NumpyArray]

_STEP = 0.01
_TOLERANCE = 1e-5
_FLOAT32_TOLERANCE = 1e-2  # where the function computes in float32 even on float64 inputs
_FLOOR = 1e-3  # of the size of the result: smaller derivatives are compared on that scale


def check_call(function: Function, call: Call, kwargs: dict[str, Any]) -> None:
    """Compare the gradient of `function` at the arguments of `call` with central differences.

    Raises GradientMismatchError with both numbers; warns where the differences are not finite.
    """
    with recording(True), tracing(None):
        try:
            trial = _Trial(function, call, kwargs)
            trial.check()
        except TraceError:
            _warn(call.name, "it reads traced values that are not arguments")
        except ChainruleError as error:
            error.add_note(f"while checking the custom gradient of {call.name} in float64; check=False leaves that out")
            raise


class _Trial:
    """The function on float64 copies of the arguments, reduced to one number with fixed weights."""

    def __init__(self, function: Function, call: Call, kwargs: dict[str, Any]) -> None:
        self.function, self.kwargs, self.name = function, kwargs, call.name
        self.leaves, self.structure = tree.flatten(call.args)
        self.places = [
            f"argument {tree.path_text(path)}" for path, each in tree.flatten_with_paths(call.args) if is_input(each)
        ]
        self.point = [_numbers(each, seed) for seed, each in enumerate(self.leaves) if is_input(each)]

    def call(self, arrays: Arrays) -> Call:
        """One run with these arrays in place of the inputs."""
        remaining = iter(arrays)
        leaves = [wrap(leaf(next(remaining))) if is_input(each) else _concrete(each) for each in self.leaves]
        return run(self.function, tree.unflatten(self.structure, leaves), self.kwargs, exact=False)

    def value(self, arrays: Arrays) -> float:
        """The result, reduced to one number."""
        with recording(False):
            outputs = self.call(arrays).outputs
        return float(sum(np.sum(_weights(each.type) * each.data) for each in outputs if each.type.is_float))

    def check(self) -> None:
        if not self.point:
            return
        here = self.call(self.point)
        cotangents = [constant(_weights(output.type)) for output in here.outputs]
        narrow = any(output.dtype != float64 for output in here.outputs if output.type.is_float)
        tolerance = _FLOAT32_TOLERANCE if narrow else _TOLERANCE
        size = max(1.0, abs(self.value(self.point)))
        for position, found in enumerate(here.pull_back(cotangents)):
            self._compare(position, None if found is None else found.data, tolerance, size)

    def _compare(self, position: int, gradient: NumpyArray | None, tolerance: float, size: float) -> None:
        direction = spread(self.point[position].shape, -1.0, 1.0, seed=7)
        given = 0.0 if gradient is None else float(np.sum(gradient * direction))

        def moved(length: float) -> float:
            changed = self.point[position] + length * direction
            return self.value([*self.point[:position], changed, *self.point[position + 1 :]])

        expected = differences.derivative(moved, _STEP)
        if not math.isfinite(expected.value):
            _warn(self.name, f"central differences by {self.places[position]} are not finite there")
            return
        allowed = tolerance * max(abs(given), abs(expected.value), _FLOOR * size) + expected.error
        if not abs(given - expected.value) <= allowed:
            raise GradientMismatchError(
                f"the custom gradient of {self.name} by input {position} ({self.places[position]}) is wrong: "
                f"along a fixed direction it gives {given:.10g}, but central differences give {expected.value:.10g}. "
                "If that is meant so (a straight-through estimator, a kink, random numbers), use check=False"
            )


def _numbers(given: Tensor, seed: int) -> NumpyArray:
    if given.is_traced:
        return spread(given.shape, 0.25, 0.75, seed)
    return np.array(given.numpy(), float64)


def _concrete(given: Any) -> Any:
    """What is not differentiated, as it is; a traced one has no elements, so zeros take its place."""
    if isinstance(given, Tensor) and given.is_traced:
        return Tensor(np.zeros(given.shape, given.dtype))
    return given


def _weights(kind: ArrayType) -> NumpyArray:
    return spread(kind.shape, 0.5, 1.5, seed=3).astype(kind.dtype)


def _warn(name: str, why: str) -> None:
    warnings.warn(f"the custom gradient of {name} could not be checked: {why}", RuntimeWarning, stacklevel=4)
