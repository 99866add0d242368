"""Small problems to learn backpropagation on: points in the plane, each of one of two kinds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import unknown_name
from ..ir.types import NumpyArray


@dataclass(frozen=True, eq=False)
class PlanarData:
    """inputs float64 (examples, 2) in [-1.5, 1.5], targets float64 (examples, 1), 0 or 1."""

    title: str
    inputs: NumpyArray
    targets: NumpyArray


def _xor() -> PlanarData:
    inputs = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    return PlanarData("exclusive or", inputs, np.array([[0.0], [1.0], [1.0], [0.0]]))


def _and() -> PlanarData:
    inputs = _xor().inputs
    return PlanarData("and: a straight line is enough", inputs, inputs[:, :1] * inputs[:, 1:])


def _ring() -> PlanarData:
    generator = np.random.default_rng(1)
    angle, kind = generator.uniform(0, 2 * np.pi, 60), np.arange(60) % 2
    radius = np.where(kind == 1, generator.uniform(0.85, 1.2, 60), generator.uniform(0, 0.5, 60))
    return PlanarData("a ring", _points(radius, angle), kind[:, None].astype(np.float64))


def _spirals() -> PlanarData:
    turn, kind = np.linspace(0.15, 1.0, 40).repeat(2), np.arange(80) % 2
    return PlanarData("two spirals", _points(1.3 * turn, 5.5 * turn + np.pi * kind), kind[:, None].astype(np.float64))


def _points(radius: NumpyArray, angle: NumpyArray) -> NumpyArray:
    return np.round(np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), 3)


PROBLEMS: dict[str, Callable[[], PlanarData]] = {"xor": _xor, "and": _and, "ring": _ring, "spirals": _spirals}


def planar_data(name: str) -> PlanarData:
    """One of PROBLEMS by name."""
    if name not in PROBLEMS:
        raise unknown_name("problem", name, PROBLEMS)
    return PROBLEMS[name]()
