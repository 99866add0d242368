"""The classifier of the digits: 784-512-256-10, ReLU, cross-entropy, batch 64, Adam."""

from __future__ import annotations

import itertools
from typing import Any

from .base import Adam, Array, Arrays, Draw, Workload, jax_cross_entropy, labelled, tensorflow_cross_entropy

SIZES = (784, 512, 256, 10)
PRODUCTS = 784 * 512 + 512 * 256 + 256 * 10


class Mlp(Workload):
    optimizer = Adam(1e-3)

    def __init__(self, name: str, batch_size: int, batches: int, expected: tuple[float, ...]) -> None:
        self.name, self.batch_size, self.batches, self.expected = name, batch_size, batches, expected
        self.flops = 2 * batch_size * (3 * PRODUCTS - 784 * 512)

    def parameters(self) -> Arrays:
        draw = Draw()
        for place, (inputs, outputs) in enumerate(itertools.pairwise(SIZES)):
            draw.linear(str(2 * place), inputs, outputs)
        return draw.arrays

    def data(self) -> tuple[Array, ...]:
        return labelled((784,), self.batches * self.batch_size, 10, noise=10.0)

    def chainrule_model(self) -> Any:
        from chainrule import nn

        return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10))

    def chainrule_loss(self, model: Any, *batch: Any) -> Any:
        from chainrule import nn

        images, labels = batch
        return nn.functional.cross_entropy(model(images), labels)

    def torch_loss(self, weights: dict[str, Any], buffers: dict[str, Any], *batch: Any) -> Any:
        from torch.nn import functional as f

        hidden, labels = batch
        for layer in ("0", "2"):
            hidden = f.relu(f.linear(hidden, weights[f"{layer}.weight"], weights[f"{layer}.bias"]))
        return f.cross_entropy(f.linear(hidden, weights["4.weight"], weights["4.bias"]), labels)

    def jax_loss(self, weights: dict[str, Any], buffers: dict[str, Any], *batch: Any) -> tuple[Any, dict[str, Any]]:
        import jax

        hidden, labels = batch
        for layer in ("0", "2"):
            hidden = jax.nn.relu(hidden @ weights[f"{layer}.weight"] + weights[f"{layer}.bias"])
        return jax_cross_entropy(hidden @ weights["4.weight"] + weights["4.bias"], labels), buffers

    def tensorflow_loss(
        self, weights: dict[str, Any], buffers: dict[str, Any], *batch: Any
    ) -> tuple[Any, dict[str, Any]]:
        import tensorflow as tf

        hidden, labels = batch
        for layer in ("0", "2"):
            hidden = tf.nn.relu(hidden @ weights[f"{layer}.weight"] + weights[f"{layer}.bias"])
        return tensorflow_cross_entropy(hidden @ weights["4.weight"] + weights["4.bias"], labels), buffers


WORKLOAD = Mlp("mlp_b64", 64, 16, (2.380327, 2.71635, 2.516307, 2.459405, 2.359507))
