"""Exclusive or: 2-2-1 sigmoid units, all four patterns in each step, momentum."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import Array, Arrays, Draw, Sgd, Workload


class Xor(Workload):
    name = "xor"
    flops = 3 * 2 * 4 * (2 * 2 + 2)  # here with the gradient of the inputs, as in the published 144
    batch_size, batches, epoch_steps = 4, 1, 1000
    optimizer = Sgd(0.5, 0.9)
    expected = (0.2622067, 0.2601454, 0.2568783, 0.2535609, 0.2512329)

    def parameters(self) -> Arrays:
        draw = Draw()
        for name, shape in (("0.weight", (2, 2)), ("0.bias", (2,)), ("2.weight", (1, 2)), ("2.bias", (1,))):
            draw.uniform(name, shape, 1.0)
        return draw.arrays

    def data(self) -> tuple[Array, ...]:
        inputs = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
        return inputs, np.array([[0], [1], [1], [0]], np.float32)

    def chainrule_model(self) -> Any:
        from chainrule import nn

        return nn.Sequential(nn.Linear(2, 2), nn.Sigmoid(), nn.Linear(2, 1), nn.Sigmoid())

    def chainrule_loss(self, model: Any, *batch: Any) -> Any:
        from chainrule import nn

        inputs, answers = batch
        return nn.functional.mse_loss(model(inputs), answers)

    def torch_loss(self, weights: dict[str, Any], buffers: dict[str, Any], *batch: Any) -> Any:
        import torch
        from torch.nn import functional as f

        inputs, answers = batch
        hidden = torch.sigmoid(f.linear(inputs, weights["0.weight"], weights["0.bias"]))
        return f.mse_loss(torch.sigmoid(f.linear(hidden, weights["2.weight"], weights["2.bias"])), answers)

    def jax_loss(self, weights: dict[str, Any], buffers: dict[str, Any], *batch: Any) -> tuple[Any, dict[str, Any]]:
        import jax

        inputs, answers = batch
        hidden = jax.nn.sigmoid(inputs @ weights["0.weight"] + weights["0.bias"])
        errors = jax.nn.sigmoid(hidden @ weights["2.weight"] + weights["2.bias"]) - answers
        return (errors * errors).mean(), buffers

    def tensorflow_loss(
        self, weights: dict[str, Any], buffers: dict[str, Any], *batch: Any
    ) -> tuple[Any, dict[str, Any]]:
        import tensorflow as tf

        inputs, answers = batch
        hidden = tf.sigmoid(inputs @ weights["0.weight"] + weights["0.bias"])
        return tf.reduce_mean((tf.sigmoid(hidden @ weights["2.weight"] + weights["2.bias"]) - answers) ** 2), buffers


WORKLOAD = Xor()
