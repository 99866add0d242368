"""Batch norm in a compiled step: few passes over memory, and the numbers of the formulas in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

import chainrule as cr
from chainrule import nn

SHAPE = (16, 16, 16, 16)  # large enough that sums are put together and values computed again


def arrays() -> tuple[Any, Any, Any, Any]:
    random = np.random.default_rng(0)
    x = random.standard_normal(SHAPE).astype(np.float32) * 3 + 5
    scale, shift = (random.standard_normal(SHAPE[1]).astype(np.float32) for _ in range(2))
    return x, scale, shift, random.standard_normal(SHAPE).astype(np.float32)


def normed(x: Any, scale: Any, shift: Any) -> Any:
    return nn.functional.relu(nn.functional.batch_norm(x, None, None, scale, shift, training=True))


@cr.compile
def everything(x: Any, scale: Any, shift: Any, cotangent: Any) -> Any:
    """Through a convolution of one tap with the weight one, as it stands in networks."""
    weight = np.eye(SHAPE[1], dtype=np.float32)[:, :, None, None]

    def after(x: Any, scale: Any, shift: Any) -> Any:
        return normed(nn.functional.conv2d(x, weight), scale, shift)

    output, pullback = cr.vjp(after, x, scale, shift)
    return output, *pullback(cotangent)


def test_output_and_gradients_are_those_of_the_formulas() -> None:
    x, scale, shift, cotangent = (each.astype(np.float64) for each in arrays())
    column = (1, -1, 1, 1)
    centred = x - x.mean((0, 2, 3), keepdims=True)
    root = np.sqrt((centred**2).mean((0, 2, 3), keepdims=True) + 1e-5)
    output = np.maximum(centred / root * scale.reshape(column) + shift.reshape(column), 0)
    g = cotangent * (output > 0)
    means = g.mean((0, 2, 3), keepdims=True), (g * centred / root).mean((0, 2, 3), keepdims=True)
    dx = scale.reshape(column) / root * (g - means[0] - centred / root * means[1])
    expected = output, dx, (g * centred / root).sum((0, 2, 3)), g.sum((0, 2, 3))
    for got, want in zip(everything(*map(cr.tensor, arrays())), expected):
        np.testing.assert_allclose(got.numpy(), want, rtol=1e-4, atol=1e-5 * np.abs(want).max())


def test_the_gradient_is_made_in_two_passes() -> None:
    """One for the two sums, one for the result; nothing large is kept of the first."""
    program = everything.program(*map(cr.tensor, arrays())).compiled.program
    size = 4 * np.prod(SHAPE)
    writers = [
        call.label
        for call in program.instructions
        if call.label.startswith("nest") and any(buffer.nbytes >= size for buffer in call.writes)
    ]
    assert len(writers) == 2, writers  # the output, and the gradient of the input
