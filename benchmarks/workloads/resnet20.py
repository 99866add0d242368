"""ResNet-20 for small images (He et al. 2016): widths 16/32/64, batch norm, 32x32x3, batch 64, momentum.

Where the width doubles the short way is a 1x1 convolution with batch norm.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np

from .base import Array, Arrays, Draw, Sgd, Workload, jax_cross_entropy, labelled, tensorflow_cross_entropy

MOMENTUM, EPSILON = 0.1, 1e-5  # of batch norm


class Block(NamedTuple):
    name: str
    inputs: int
    outputs: int
    stride: int
    size: int  # of the maps it makes


WIDTHS = (16, 16, 16, 16, 32, 32, 32, 64, 64, 64)
BLOCKS = tuple(
    Block(f"blocks.{i}", before, after, after // before, 512 // after)
    for i, (before, after) in enumerate(itertools.pairwise(WIDTHS))
)
FIRST = 3 * 16 * 9 * 32 * 32


def _products(block: Block) -> int:
    """Multiply-adds of a block for one image."""
    pixels = block.size * block.size
    short = block.inputs * block.outputs * pixels if block.stride > 1 else 0
    return 9 * pixels * block.outputs * (block.inputs + block.outputs) + short


class Resnet20(Workload):
    name = "resnet20"
    batch_size, batches = 64, 4
    flops = 2 * 64 * (2 * FIRST + 3 * (sum(map(_products, BLOCKS)) + 640))
    optimizer = Sgd(0.01, 0.9)
    expected = (2.453613, 2.511112, 2.528864, 2.444685, 2.254689)

    def parameters(self) -> Arrays:
        draw = Draw()
        for name, inputs, outputs, size in _convolutions():
            draw.convolution(name, inputs, outputs, size, bias=False)
            draw.norm(f"{name}_norm", outputs)
        draw.linear("head", 64, 10)
        return draw.arrays

    def buffers(self) -> Arrays:
        found = {}
        for name, _, outputs, _ in _convolutions():
            found[f"{name}_norm.running_mean"] = np.zeros(outputs, np.float32)
            found[f"{name}_norm.running_var"] = np.ones(outputs, np.float32)
        return found

    def data(self) -> tuple[Array, ...]:
        return labelled((3, 32, 32), self.batches * self.batch_size, 10, noise=2.0)

    def chainrule_model(self) -> Any:
        from chainrule import nn

        class Residual(nn.Module):
            def __init__(self, block: Block) -> None:
                super().__init__()
                inputs, outputs, stride = block.inputs, block.outputs, block.stride
                self.first = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
                self.first_norm = nn.BatchNorm2d(outputs)
                self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
                self.second_norm = nn.BatchNorm2d(outputs)
                if stride > 1:
                    self.short = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
                    self.short_norm = nn.BatchNorm2d(outputs)

            def forward(self, maps: Any) -> Any:
                inner = nn.functional.relu(self.first_norm(self.first(maps)))
                inner = self.second_norm(self.second(inner))
                return nn.functional.relu(
                    inner + (self.short_norm(self.short(maps)) if hasattr(self, "short") else maps)
                )

        class ResNet(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.stem = nn.Conv2d(3, 16, 3, padding=1, bias=False)
                self.stem_norm = nn.BatchNorm2d(16)
                self.blocks = nn.Sequential(*map(Residual, BLOCKS))
                self.head = nn.Linear(64, 10)

            def forward(self, images: Any) -> Any:
                maps = self.blocks(nn.functional.relu(self.stem_norm(self.stem(images))))
                return self.head(maps.mean((2, 3)))

        return ResNet()

    def chainrule_loss(self, model: Any, *batch: Any) -> Any:
        from chainrule import nn

        images, labels = batch
        return nn.functional.cross_entropy(model(images), labels)

    def torch_loss(self, weights: dict[str, Any], buffers: dict[str, Any], *batch: Any) -> Any:
        from torch.nn import functional as f

        def convolved(maps: Any, name: str, stride: int = 1, edge: int = 1) -> Any:
            maps, norm = f.conv2d(maps, weights[f"{name}.weight"], None, stride, edge), f"{name}_norm"
            running = buffers[f"{norm}.running_mean"], buffers[f"{norm}.running_var"]
            scale, shift = weights[f"{norm}.weight"], weights[f"{norm}.bias"]
            return f.batch_norm(maps, *running, scale, shift, True, MOMENTUM, EPSILON)

        images, labels = batch
        maps = f.relu(convolved(images, "stem"))
        for block in BLOCKS:
            inner = convolved(f.relu(convolved(maps, f"{block.name}.first", block.stride)), f"{block.name}.second")
            short = convolved(maps, f"{block.name}.short", block.stride, 0) if block.stride > 1 else maps
            maps = f.relu(inner + short)
        return f.cross_entropy(f.linear(maps.mean((2, 3)), weights["head.weight"], weights["head.bias"]), labels)

    def jax_loss(self, weights: dict[str, Any], buffers: dict[str, Any], *batch: Any) -> tuple[Any, dict[str, Any]]:
        import jax

        new: dict[str, Any] = {}

        def convolved(maps: Any, name: str, stride: int = 1, edge: int = 1) -> Any:
            edges, axes = ((edge, edge), (edge, edge)), ("NHWC", "HWIO", "NHWC")
            kernel = weights[f"{name}.weight"]
            maps = jax.lax.conv_general_dilated(maps, kernel, (stride, stride), edges, dimension_numbers=axes)
            mean, variance = maps.mean((0, 1, 2)), maps.var((0, 1, 2))
            _follow(new, buffers, f"{name}_norm", mean, variance, maps.size // maps.shape[-1])
            scale = weights[f"{name}_norm.weight"] * jax.lax.rsqrt(variance + EPSILON)
            return (maps - mean) * scale + weights[f"{name}_norm.bias"]

        images, labels = batch
        maps = jax.nn.relu(convolved(images, "stem"))
        for block in BLOCKS:
            inner = jax.nn.relu(convolved(maps, f"{block.name}.first", block.stride))
            inner = convolved(inner, f"{block.name}.second")
            short = convolved(maps, f"{block.name}.short", block.stride, 0) if block.stride > 1 else maps
            maps = jax.nn.relu(inner + short)
        scores = maps.mean((1, 2)) @ weights["head.weight"] + weights["head.bias"]
        return jax_cross_entropy(scores, labels), new

    def tensorflow_loss(
        self, weights: dict[str, Any], buffers: dict[str, Any], *batch: Any
    ) -> tuple[Any, dict[str, Any]]:
        import tensorflow as tf

        new: dict[str, Any] = {}

        def convolved(maps: Any, name: str, stride: int = 1, edge: int = 1) -> Any:
            edges = ((0, 0), (edge, edge), (edge, edge), (0, 0))
            maps, norm = tf.nn.conv2d(maps, weights[f"{name}.weight"], stride, edges), f"{name}_norm"
            scale, shift = weights[f"{norm}.weight"], weights[f"{norm}.bias"]
            maps, mean, variance = tf.compat.v1.nn.fused_batch_norm(maps, scale, shift, epsilon=EPSILON)
            _follow(new, buffers, norm, mean, variance, None)  # the fused operation gives the unbiased variance
            return maps

        images, labels = batch
        maps = tf.nn.relu(convolved(images, "stem"))
        for block in BLOCKS:
            inner = tf.nn.relu(convolved(maps, f"{block.name}.first", block.stride))
            inner = convolved(inner, f"{block.name}.second")
            short = convolved(maps, f"{block.name}.short", block.stride, 0) if block.stride > 1 else maps
            maps = tf.nn.relu(inner + short)
        scores = tf.reduce_mean(maps, (1, 2)) @ weights["head.weight"] + weights["head.bias"]
        return tensorflow_cross_entropy(scores, labels), new


def _convolutions() -> list[tuple[str, int, int, int]]:
    """Name, channels in and out, and size of each kernel."""
    found = [("stem", 3, 16, 3)]
    for name, inputs, outputs, stride, _ in BLOCKS:
        found += [(f"{name}.first", inputs, outputs, 3), (f"{name}.second", outputs, outputs, 3)]
        found += [(f"{name}.short", inputs, outputs, 1)] if stride > 1 else []
    return found


def _follow(new: dict[str, Any], old: dict[str, Any], norm: str, mean: Any, variance: Any, count: int | None) -> None:
    """Running statistics move towards the batch's; with a count the variance is made unbiased."""
    unbiased = variance if count is None else variance * (count / (count - 1))
    for name, newest in ((f"{norm}.running_mean", mean), (f"{norm}.running_var", unbiased)):
        new[name] = old[name] * (1 - MOMENTUM) + newest * MOMENTUM


WORKLOAD = Resnet20()
