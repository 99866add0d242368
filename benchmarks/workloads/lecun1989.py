"""The ZIP-code network of 1989 (examples/zip_codes_1989.py): one image a step, plain SGD."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import Array, Arrays, Draw, Sgd, Workload, labelled

# H2 is three groups of four maps; each group reads 8 of the 12 maps of H1.
READS = (*range(8), *range(4, 12), *range(4), *range(8, 12))
FIRST, OTHERS = 768 * 25, 192 * 200 + 192 * 30 + 30 * 10


class Lecun1989(Workload):
    name = "lecun1989"
    batch_size, batches = 1, 500
    flops = 2 * (2 * FIRST + 3 * OTHERS)
    optimizer = Sgd(0.03)
    expected = (0.5702521, 0.7233972, 0.4833526, 0.1348465, 0.0415661)

    def parameters(self) -> Arrays:
        draw = Draw()
        draw.uniform("h1_weight", (12, 1, 5, 5), 2.4 / 5)
        draw.full("h1_bias", (12, 8, 8), 0.0)
        draw.uniform("h2_weight", (12, 8, 5, 5), 2.4 / 200**0.5)
        draw.full("h2_bias", (12, 4, 4), 0.0)
        draw.uniform("h3_weight", (192, 30), 2.4 / 192**0.5)
        draw.full("h3_bias", (30,), 0.0)
        draw.uniform("output_weight", (30, 10), 2.4 / 30**0.5)
        draw.full("output_bias", (10,), -1.0)
        return draw.arrays

    def data(self) -> tuple[Array, ...]:
        images, labels = labelled((1, 16, 16), self.batches, 10, noise=0.5)
        targets = np.where(np.arange(10) == labels[:, None], np.float32(1), np.float32(-1))
        return np.tanh(images).astype(np.float32), targets

    def for_xla(self, weights: Arrays) -> Arrays:
        found = super().for_xla(weights)
        for name in ("h1_bias", "h2_bias"):
            found[name] = np.ascontiguousarray(found[name].transpose(1, 2, 0))
        rows = weights["h3_weight"].reshape(12, 4, 4, 30).transpose(1, 2, 0, 3)
        return {**found, "h3_weight": np.ascontiguousarray(rows).reshape(192, 30)}

    def chainrule_model(self) -> Any:
        import chainrule as cr
        from chainrule import nn

        class ZipNetwork(nn.Module):
            def __init__(self, first: Arrays) -> None:
                super().__init__()
                for name, array in first.items():
                    setattr(self, name, cr.Parameter(array))
                self.reads = cr.tensor(np.array(READS))

            def forward(self, images: Any) -> Any:
                padded = nn.functional.pad(images, (2, 2, 2, 2), value=-1.0)
                h1 = cr.tanh(nn.functional.conv2d(padded, self.h1_weight, stride=2) + self.h1_bias)
                padded = nn.functional.pad(cr.take(h1, self.reads, 1), (2, 2, 2, 2), value=-1.0)
                h2 = cr.tanh(nn.functional.conv2d(padded, self.h2_weight, stride=2, groups=3) + self.h2_bias)
                h3 = cr.tanh(h2.reshape((images.shape[0], 192)) @ self.h3_weight + self.h3_bias)
                return cr.tanh(h3 @ self.output_weight + self.output_bias)

        return ZipNetwork(self.parameters())

    def chainrule_loss(self, model: Any, *batch: Any) -> Any:
        from chainrule import nn

        images, targets = batch
        return nn.functional.mse_loss(model(images), targets)

    def torch_loss(self, weights: dict[str, Any], buffers: dict[str, Any], *batch: Any) -> Any:
        import torch
        from torch.nn import functional as f

        images, targets = batch
        padded = f.pad(images, (2, 2, 2, 2), value=-1.0)
        h1 = torch.tanh(f.conv2d(padded, weights["h1_weight"], stride=2) + weights["h1_bias"])
        p = f.pad(h1, (2, 2, 2, 2), value=-1.0)
        chosen = torch.cat((p[:, :8], p[:, 4:], p[:, :4], p[:, 8:]), 1)  # the maps of READS
        h2 = torch.tanh(f.conv2d(chosen, weights["h2_weight"], stride=2, groups=3) + weights["h2_bias"])
        h3 = torch.tanh(h2.flatten(1) @ weights["h3_weight"] + weights["h3_bias"])
        return f.mse_loss(torch.tanh(h3 @ weights["output_weight"] + weights["output_bias"]), targets)

    def jax_loss(self, weights: dict[str, Any], buffers: dict[str, Any], *batch: Any) -> tuple[Any, dict[str, Any]]:
        import jax
        import jax.numpy as jnp

        def convolved(maps: Any, kernel: Any, groups: int) -> Any:
            edges = ((0, 0), (2, 2), (2, 2), (0, 0))
            padded = jnp.pad(maps, edges, constant_values=-1.0)
            axes = ("NHWC", "HWIO", "NHWC")
            return jax.lax.conv_general_dilated(
                padded, kernel, (2, 2), "VALID", dimension_numbers=axes, feature_group_count=groups
            )

        images, targets = batch
        h1 = jnp.tanh(convolved(images, weights["h1_weight"], 1) + weights["h1_bias"])
        chosen = jnp.concatenate((h1[..., :8], h1[..., 4:], h1[..., :4], h1[..., 8:]), -1)
        h2 = jnp.tanh(convolved(chosen, weights["h2_weight"], 3) + weights["h2_bias"])
        h3 = jnp.tanh(h2.reshape(-1, 192) @ weights["h3_weight"] + weights["h3_bias"])
        errors = jnp.tanh(h3 @ weights["output_weight"] + weights["output_bias"]) - targets
        return (errors * errors).mean(), buffers

    def tensorflow_loss(
        self, weights: dict[str, Any], buffers: dict[str, Any], *batch: Any
    ) -> tuple[Any, dict[str, Any]]:
        import tensorflow as tf

        def convolved(maps: Any, kernel: Any) -> Any:
            padded = tf.pad(maps, ((0, 0), (2, 2), (2, 2), (0, 0)), constant_values=-1.0)
            return tf.nn.conv2d(padded, kernel, 2, "VALID")

        images, targets = batch
        h1 = tf.tanh(convolved(images, weights["h1_weight"]) + weights["h1_bias"])
        groups = (h1[..., :8], h1[..., 4:], tf.concat((h1[..., :4], h1[..., 8:]), -1))
        kernels = tf.split(weights["h2_weight"], 3, -1)
        h2 = tf.concat([convolved(maps, kernel) for maps, kernel in zip(groups, kernels)], -1)
        h3 = tf.reshape(tf.tanh(h2 + weights["h2_bias"]), (-1, 192)) @ weights["h3_weight"] + weights["h3_bias"]
        outputs = tf.tanh(tf.tanh(h3) @ weights["output_weight"] + weights["output_bias"])
        return tf.reduce_mean((outputs - targets) ** 2), buffers


WORKLOAD = Lecun1989()
