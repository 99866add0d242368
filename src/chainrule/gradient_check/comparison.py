"""The comparison behind `check_gradients`: each derivative beside central differences, and what they disagree in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import differences, tree
from ..counts import checked_count
from ..errors import GradientError, GradientMismatchError
from ..functions import astype
from ..functions import sum as total_of
from ..ir.types import NumpyArray, float64
from ..names import name_of
from ..tensor import Tensor, asarray
from ..transforms import grad, no_grad

Arrays = list[NumpyArray]
Scalar = Callable[[list[Tensor]], Tensor]
"""A function of the arrays that are differentiated, which gives one number."""

FIRST_STEP = 0.02  # of the differences; they are extrapolated to 0
_ALL_ELEMENTS = 64  # up to this size every element of an array is checked, above it some directions
_DIRECTIONS = 16


@dataclass(frozen=True)
class Checked:
    """How well the derivatives of one order by one array agree."""

    order: int
    path: str
    count: int
    max_relative_error: float

    def __str__(self) -> str:
        return (
            f"order {self.order}, {self.path}: {self.count} derivatives, relative error {self.max_relative_error:.1e}"
        )


@dataclass(frozen=True)
class GradientReport:
    """What a check that passed found."""

    parts: tuple[Checked, ...]

    @property
    def max_relative_error(self) -> float:
        """The largest relative error of all derivatives."""
        return max((part.max_relative_error for part in self.parts), default=0.0)

    def __str__(self) -> str:
        return "\n".join(map(str, self.parts))


def is_float(leaf: Any) -> bool:
    """Whether a leaf is differentiated."""
    return isinstance(leaf, float) or getattr(getattr(leaf, "dtype", None), "kind", "") == "f"


@dataclass(frozen=True)
class Check:
    """One check: a function of arguments, seen as a function of the float64 arrays among their leaves."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    step: float
    rtol: float
    atol: float
    directions: int | None
    paths: list[str] = field(init=False)
    point: Arrays = field(init=False)

    def __post_init__(self) -> None:
        leaves = [(path, leaf) for path, leaf in tree.flatten_with_paths(self.args) if is_float(leaf)]
        if not leaves:
            raise GradientError(f"{self.name} was given no floats to take gradients by")
        object.__setattr__(self, "paths", [f"argument {tree.path_text(path)}" for path, _ in leaves])
        object.__setattr__(self, "point", [np.array(asarray(leaf).numpy(), float64) for _, leaf in leaves])

    @property
    def name(self) -> str:
        return name_of(self.function)

    def run(self, order: int) -> GradientReport:
        order = checked_count("order", order)
        scalar: Scalar = self._as_scalar
        self._check_repeatable(scalar)
        parts: list[Checked] = []
        for number in range(1, order + 1):
            parts += self._check_order(number, scalar)
            scalar = _along(scalar, _fixed_direction(self.point, seed=number))
        return GradientReport(tuple(parts))

    # -- the function, and its value somewhere

    def _as_scalar(self, arrays: list[Tensor]) -> Tensor:
        """The result on the arrays in place of the float leaves, reduced to one number with fixed random weights."""
        remaining = iter(arrays)
        args = tree.map(lambda leaf: next(remaining) if is_float(leaf) else leaf, self.args)
        outputs = [asarray(leaf) for leaf in tree.leaves(self.function(*args)) if not isinstance(leaf, str)]
        floats = [output for output in outputs if output.dtype.kind == "f"]
        if not floats:
            raise GradientError(f"{self.name} gave no floats, so there is nothing to differentiate")
        generator = np.random.default_rng(0)
        parts = [total_of(output * _weights(generator, output, len(floats))) for output in floats]
        return _added(parts)

    def _check_repeatable(self, scalar: Scalar) -> None:
        first, second = self._value(scalar, self.point), self._value(scalar, self.point)
        if not math.isfinite(first):
            raise GradientError(
                f"{self.name} is {first} at this point: gradients can only be checked where it is finite"
            )
        if first != second:
            raise GradientError(
                f"{self.name} gives {first} and {second} on the same arguments: a check needs a function that gives "
                "the same each time (seed its random numbers inside it, or switch dropout off with eval())"
            )

    @staticmethod
    def _value(scalar: Scalar, point: Arrays) -> float:
        with no_grad():
            return float(scalar([Tensor(array) for array in point]))

    # -- the comparison

    def _check_order(self, order: int, scalar: Scalar) -> list[Checked]:
        gradient = [each.numpy() for each in grad(scalar)([Tensor(array) for array in self.point])]
        floor = self.atol / self.rtol * max(1.0, abs(self._value(scalar, self.point)))
        parts = []
        for place, array in enumerate(self.point):
            errors = [
                self._compare(order, scalar, place, where, direction, gradient[place], floor)
                for where, direction in self._directions(array)
            ]
            parts.append(Checked(order, self.paths[place], len(errors), max(errors, default=0.0)))
        return parts

    def _directions(self, array: NumpyArray) -> Iterator[tuple[str, NumpyArray]]:
        """What is checked of one array: each element, or some directions; with words for the error message."""
        if self.directions is None and array.size <= _ALL_ELEMENTS:
            for position in np.ndindex(array.shape):
                unit = np.zeros_like(array)
                unit[position] = 1
                yield f"element {list(position)}" if position else "its one element", unit
            return
        generator = np.random.default_rng(1)
        for number in range(min(self.directions or _DIRECTIONS, array.size)):
            yield f"random direction {number}", np.asarray(generator.uniform(-1, 1, array.shape))

    def _compare(
        self, order: int, scalar: Scalar, place: int, where: str, along: NumpyArray, gradient: NumpyArray, floor: float
    ) -> float:
        def moved(length: float) -> float:
            point = [array + length * along if index == place else array for index, array in enumerate(self.point)]
            return self._value(scalar, point)

        given = float(np.sum(gradient * along))
        step = self.step * max(1.0, 1e-4 * float(np.max(np.abs(self.point[place]))))
        expected = differences.derivative(moved, step)
        error = abs(given - expected.value) / max(abs(given), abs(expected.value), floor)
        if error <= self.rtol:
            return error
        raise GradientMismatchError(
            f"the gradient of {self.name} (order {order}) by {self.paths[place]}, {where}, is wrong: expected "
            f"{expected.value:.10g} (central differences), given {given:.10g} (gradient), relative error {error:.1e}, "
            f"allowed {self.rtol:.0e}{_hint(moved, step, expected, given)}"
        )


def _weights(generator: np.random.Generator, output: Tensor, count: int) -> NumpyArray | float:
    return 1.0 if count == 1 and output.size == 1 else generator.uniform(0.5, 1.5, output.shape)


def _added(parts: list[Tensor]) -> Tensor:
    result = parts[0]
    for part in parts[1:]:
        result = result + part
    return astype(result, float64)  # type: ignore[no-any-return]


def _fixed_direction(point: Arrays, seed: int) -> Arrays:
    generator = np.random.default_rng(seed)
    return [np.asarray(generator.uniform(0.5, 1.5, array.shape)) for array in point]


def _along(scalar: Scalar, direction: Arrays) -> Scalar:
    """The derivative of `scalar` in one direction, as a function of the point: its gradient is of the next order."""

    def derivative(arrays: list[Tensor]) -> Tensor:
        return _added([total_of(each * along) for each, along in zip(grad(scalar)(arrays), direction)])

    return derivative


def _hint(moved: Callable[[float], float], step: float, expected: differences.Estimate, given: float) -> str:
    """What may be the matter."""
    left, right = differences.slopes(moved, step * 1e-5)
    if not abs(left - right) <= 1e-3 * max(abs(left), abs(right), 1e-3):
        return (
            f". Slopes are {left:.6g} to the left and {right:.6g} to the right: "
            "the function has a kink or a jump here; check at another point"
        )
    if expected.error > 1e-5 * max(abs(expected.value), 1e-3):
        return (
            f". The differences are only sure to {expected.error:.1e}: the function may compute in float32, "
            "or have a kink nearby"
        )
    return ". A gradient of 0 often comes from detach(), numpy(), stop_gradient or rounding" if given == 0 else ""
