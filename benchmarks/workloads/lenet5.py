"""LeNet-5 with today's parts: 5x5 kernels, the first padded by 2, ReLU, max-pool; 28x28, batch 64, momentum."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import Array, Arrays, Draw, Sgd, Workload, jax_cross_entropy, labelled, tensorflow_cross_entropy

FIRST = 6 * 28 * 28 * 25
OTHERS = 16 * 10 * 10 * 150 + 400 * 120 + 120 * 84 + 84 * 10


class Lenet5(Workload):
    name = "lenet5"
    batch_size, batches = 64, 16
    flops = 2 * 64 * (2 * FIRST + 3 * OTHERS)
    optimizer = Sgd(0.05, 0.9)
    expected = (2.366634, 2.965633, 2.677698, 2.396287, 2.306146)

    def parameters(self) -> Arrays:
        draw = Draw()
        draw.convolution("0", 1, 6, 5)
        draw.convolution("3", 6, 16, 5)
        for name, inputs, outputs in (("7", 400, 120), ("9", 120, 84), ("11", 84, 10)):
            draw.linear(name, inputs, outputs)
        return draw.arrays

    def data(self) -> tuple[Array, ...]:
        return labelled((1, 28, 28), self.batches * self.batch_size, 10, noise=4.0)

    def for_xla(self, weights: Arrays) -> Arrays:
        rows = weights["7.weight"].reshape(120, 16, 5, 5).transpose(2, 3, 1, 0)
        return {**super().for_xla(weights), "7.weight": np.ascontiguousarray(rows).reshape(400, 120)}

    def chainrule_model(self) -> Any:
        from chainrule import nn

        return nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(400, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, 10),
        )

    def chainrule_loss(self, model: Any, *batch: Any) -> Any:
        from chainrule import nn

        images, labels = batch
        return nn.functional.cross_entropy(model(images), labels)

    def torch_loss(self, weights: dict[str, Any], buffers: dict[str, Any], *batch: Any) -> Any:
        from torch.nn import functional as f

        images, labels = batch
        maps = f.max_pool2d(f.relu(f.conv2d(images, weights["0.weight"], weights["0.bias"], padding=2)), 2)
        maps = f.max_pool2d(f.relu(f.conv2d(maps, weights["3.weight"], weights["3.bias"])), 2)
        hidden = maps.flatten(1)
        for layer in ("7", "9"):
            hidden = f.relu(f.linear(hidden, weights[f"{layer}.weight"], weights[f"{layer}.bias"]))
        return f.cross_entropy(f.linear(hidden, weights["11.weight"], weights["11.bias"]), labels)

    def jax_loss(self, weights: dict[str, Any], buffers: dict[str, Any], *batch: Any) -> tuple[Any, dict[str, Any]]:
        import jax
        import jax.numpy as jnp

        def halved(maps: Any, layer: str, edge: int) -> Any:
            edges, axes = ((edge, edge), (edge, edge)), ("NHWC", "HWIO", "NHWC")
            kernel, bias = weights[f"{layer}.weight"], weights[f"{layer}.bias"]
            sums = jax.lax.conv_general_dilated(maps, kernel, (1, 1), edges, dimension_numbers=axes) + bias
            window = (1, 2, 2, 1)
            return jax.lax.reduce_window(jax.nn.relu(sums), -jnp.inf, jax.lax.max, window, window, "VALID")

        images, labels = batch
        hidden = halved(halved(images, "0", 2), "3", 0).reshape(-1, 400)
        for layer in ("7", "9"):
            hidden = jax.nn.relu(hidden @ weights[f"{layer}.weight"] + weights[f"{layer}.bias"])
        return jax_cross_entropy(hidden @ weights["11.weight"] + weights["11.bias"], labels), buffers

    def tensorflow_loss(
        self, weights: dict[str, Any], buffers: dict[str, Any], *batch: Any
    ) -> tuple[Any, dict[str, Any]]:
        import tensorflow as tf

        def halved(maps: Any, layer: str, edges: str) -> Any:
            sums = tf.nn.conv2d(maps, weights[f"{layer}.weight"], 1, edges) + weights[f"{layer}.bias"]
            return tf.nn.max_pool2d(tf.nn.relu(sums), 2, 2, "VALID")

        images, labels = batch
        hidden = tf.reshape(halved(halved(images, "0", "SAME"), "3", "VALID"), (-1, 400))
        for layer in ("7", "9"):
            hidden = tf.nn.relu(hidden @ weights[f"{layer}.weight"] + weights[f"{layer}.bias"])
        return tensorflow_cross_entropy(hidden @ weights["11.weight"] + weights["11.bias"], labels), buffers


WORKLOAD = Lenet5()
