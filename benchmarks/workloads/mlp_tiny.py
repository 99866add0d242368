"""A small regression: 32-64-64-1, ReLU, mean squared error, batch 32, Adam."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from .base import Adam, Array, Arrays, Draw, Workload

SIZES = (32, 64, 64, 1)


class MlpTiny(Workload):
    name = "mlp_tiny"
    batch_size, batches = 32, 100
    flops = 2 * 32 * (3 * (32 * 64 + 64 * 64 + 64) - 32 * 64)
    optimizer = Adam(1e-3)
    expected = (1.711234, 1.475026, 1.394259, 0.9578826, 1.438123)

    def parameters(self) -> Arrays:
        draw = Draw()
        for place, (inputs, outputs) in enumerate(itertools.pairwise(SIZES)):
            draw.linear(str(2 * place), inputs, outputs)
        return draw.arrays

    def data(self) -> tuple[Array, ...]:
        random = np.random.default_rng(1)
        inputs = random.standard_normal((self.batches * self.batch_size, 32)).astype(np.float32)
        answers = np.sin(inputs[:, :4].sum(1, keepdims=True)) + inputs[:, 4:5] * inputs[:, 5:6]
        return inputs, answers.astype(np.float32)

    def chainrule_model(self) -> Any:
        from chainrule import nn

        return nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))

    def chainrule_loss(self, model: Any, *batch: Any) -> Any:
        from chainrule import nn

        inputs, answers = batch
        return nn.functional.mse_loss(model(inputs), answers)

    def torch_loss(self, weights: dict[str, Any], buffers: dict[str, Any], *batch: Any) -> Any:
        from torch.nn import functional as f

        hidden, answers = batch
        for layer in ("0", "2"):
            hidden = f.relu(f.linear(hidden, weights[f"{layer}.weight"], weights[f"{layer}.bias"]))
        return f.mse_loss(f.linear(hidden, weights["4.weight"], weights["4.bias"]), answers)

    def jax_loss(self, weights: dict[str, Any], buffers: dict[str, Any], *batch: Any) -> tuple[Any, dict[str, Any]]:
        import jax

        hidden, answers = batch
        for layer in ("0", "2"):
            hidden = jax.nn.relu(hidden @ weights[f"{layer}.weight"] + weights[f"{layer}.bias"])
        errors = hidden @ weights["4.weight"] + weights["4.bias"] - answers
        return (errors * errors).mean(), buffers

    def tensorflow_loss(
        self, weights: dict[str, Any], buffers: dict[str, Any], *batch: Any
    ) -> tuple[Any, dict[str, Any]]:
        import tensorflow as tf

        hidden, answers = batch
        for layer in ("0", "2"):
            hidden = tf.nn.relu(hidden @ weights[f"{layer}.weight"] + weights[f"{layer}.bias"])
        return tf.reduce_mean((hidden @ weights["4.weight"] + weights["4.bias"] - answers) ** 2), buffers


WORKLOAD = MlpTiny()
