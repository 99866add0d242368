"""Training steps as the passes see them: a network, its gradient and Adam, in one graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import chainrule as cr
from chainrule import nn
from chainrule.ir.graph import Graph
from chainrule.ir.types import ArrayType, float32, float64, int64

BATCH, CLASSES = 8, 10
Arrays = Sequence[Any]


def adam(weights: Arrays, means: Arrays, squares: Arrays, step: Any, gradients: Arrays) -> Any:
    """Adam as optim/adam.py writes it, on arrays that are passed in and out."""
    beta1, beta2 = 0.9, 0.999
    step = step + 1.0
    moved = []
    for weight, mean, square, gradient in zip(weights, means, squares, gradients):
        mean = mean + (gradient - mean) * (1 - beta1)
        square = square * beta2 + gradient * gradient * (1 - beta2)
        root_correction = cr.astype((1 - beta2**step) ** 0.5, weight.dtype)
        divisor = cr.sqrt(square) / root_correction + 1e-8
        step_size = cr.astype(1e-3 / (1 - beta1**step), weight.dtype)
        moved.append((weight - mean * step_size / divisor, mean, square))
    return moved, step


def adam_step(*shapes: tuple[int, ...]) -> Graph:
    """One step of Adam for parameters of these shapes."""
    kinds = [ArrayType(shape, float32) for shape in shapes]
    return cr.trace(adam)(kinds, kinds, kinds, ArrayType((), float64), kinds)


def cross_entropy_and_gradient() -> Graph:
    """The loss of a classifier and the gradient of its logits."""
    loss = cr.value_and_grad(lambda logits, classes: nn.functional.cross_entropy(logits, classes))
    return cr.trace(loss)(ArrayType((4, 3), float32), ArrayType((4,), int64))


def training_step(layers: int, width: int = 16) -> Graph:
    """Forward pass, loss, backward pass and Adam of a network of dense layers."""

    def loss(parameters: Arrays, x: Any, classes: Any) -> Any:
        for place in range(0, 2 * layers, 2):
            x = cr.relu(x @ parameters[place] + parameters[place + 1])
        return nn.functional.cross_entropy(x @ parameters[-2] + parameters[-1], classes)

    def step(weights: Arrays, means: Arrays, squares: Arrays, count: Any, x: Any, classes: Any) -> Any:
        value, gradients = cr.value_and_grad(loss)(weights, x, classes)
        return value, adam(weights, means, squares, count, gradients)

    shapes = [*[(width, width), (width,)] * layers, (width, CLASSES), (CLASSES,)]
    kinds = [ArrayType(shape, float32) for shape in shapes]
    batch = ArrayType((BATCH, width), float32), ArrayType((BATCH,), int64)
    return cr.trace(step)(kinds, kinds, kinds, ArrayType((), float64), *batch)
