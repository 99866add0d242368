"""What a workload says. The arrays come from a fixed seed, so every contestant starts from the same numbers.

Weights are named and laid out as in PyTorch and Chainrule: (out, in), (out, in, height, width), images with channels
first. `for_xla` gives JAX and TensorFlow the layouts that are natural and fast there: (in, out), channels last.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Arrays = dict[str, Array]


@dataclass(frozen=True)
class Sgd:
    """w = w - lr · v with v = momentum · v + gradient."""

    lr: float
    momentum: float = 0.0


@dataclass(frozen=True)
class Adam:
    """PyTorch's Adam; with a decay, PyTorch's AdamW."""

    lr: float
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    decay: float = 0.0


class Workload(ABC):
    """One training step and all it needs.

    flops: multiplications and additions of matrix products and convolutions in a step, forward and backward. The
    gradient of the first layer's input is not needed and not counted.
    epoch_steps: steps in one native call of the contestants that run whole epochs.
    expected: losses of the first steps, by PyTorch in float64 (`steps.py --expected`).
    """

    name: str
    flops: int
    batch_size: int
    batches: int
    optimizer: Sgd | Adam
    expected: tuple[float, ...]

    @property
    def epoch_steps(self) -> int:
        """As many steps as there are batches, unless the workload says otherwise."""
        return self.batches

    @abstractmethod
    def parameters(self) -> Arrays:
        """First weights, float32."""

    def buffers(self) -> Arrays:
        """What a step changes besides weights (running statistics)."""
        return {}

    @abstractmethod
    def data(self) -> tuple[Array, ...]:
        """All examples: arrays with a leading axis of batches · batch_size."""

    # -- the network, once in the words of each framework

    @abstractmethod
    def chainrule_model(self) -> Any:
        """The network as a user of Chainrule would write it; its state_dict has our names."""

    @abstractmethod
    def chainrule_loss(self, model: Any, *batch: Any) -> Any:
        """Forward pass and loss."""

    @abstractmethod
    def torch_loss(self, weights: dict[str, Any], buffers: dict[str, Any], *batch: Any) -> Any:
        """Forward pass and loss; buffers are changed in place."""

    @abstractmethod
    def jax_loss(self, weights: dict[str, Any], buffers: dict[str, Any], *batch: Any) -> tuple[Any, dict[str, Any]]:
        """Forward pass and loss, and the new buffers."""

    def tensorflow_loss(
        self, weights: dict[str, Any], buffers: dict[str, Any], *batch: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Forward pass and loss, and the new buffers."""
        raise NotImplementedError(f"{self.name} is not written for TensorFlow")

    # -- layouts

    def for_xla(self, weights: Arrays) -> Arrays:
        """Kernels (height, width, in, out), matrices (in, out)."""
        return {name: _transposed(name, array) for name, array in weights.items()}

    def data_for_xla(self, data: tuple[Array, ...]) -> tuple[Array, ...]:
        """Images with channels last, integers of 32 bits."""
        return tuple(_last(array) for array in data)

    def batched(self, arrays: tuple[Array, ...]) -> list[tuple[Array, ...]]:
        """The data cut into batches, in order."""
        return [
            tuple(array[i * self.batch_size : (i + 1) * self.batch_size] for array in arrays)
            for i in range(self.batches)
        ]


def _transposed(name: str, array: Array) -> Array:
    if array.ndim == 4:
        return np.ascontiguousarray(array.transpose(2, 3, 1, 0))
    if array.ndim == 2 and name.endswith(".weight") and "embedding" not in name:
        return np.ascontiguousarray(array.T)
    return array


def _last(array: Array) -> Array:
    if array.ndim == 4:
        return np.ascontiguousarray(array.transpose(0, 2, 3, 1))
    return array.astype(np.int32) if array.dtype == np.int64 else array


class Draw:
    """First weights from a seed, collected under their names."""

    def __init__(self, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.arrays: Arrays = {}

    def uniform(self, name: str, shape: tuple[int, ...], limit: float) -> None:
        """Evenly within ±limit."""
        self.arrays[name] = self.random.uniform(-limit, limit, shape).astype(np.float32)

    def normal(self, name: str, shape: tuple[int, ...], deviation: float) -> None:
        """Normally distributed around 0."""
        self.arrays[name] = (deviation * self.random.standard_normal(shape)).astype(np.float32)

    def full(self, name: str, shape: tuple[int, ...], number: float) -> None:
        """One number everywhere."""
        self.arrays[name] = np.full(shape, number, np.float32)

    def linear(self, name: str, inputs: int, outputs: int) -> None:
        """A dense layer as PyTorch starts it."""
        limit = inputs**-0.5
        self.uniform(f"{name}.weight", (outputs, inputs), limit)
        self.uniform(f"{name}.bias", (outputs,), limit)

    def convolution(self, name: str, inputs: int, outputs: int, size: int, bias: bool = True) -> None:
        """Kernels as He et al. start them."""
        self.normal(f"{name}.weight", (outputs, inputs, size, size), (2 / (inputs * size * size)) ** 0.5)
        if bias:
            self.full(f"{name}.bias", (outputs,), 0.0)

    def norm(self, name: str, channels: int) -> None:
        """Scale 1, shift 0, moved a little so that a mistake in either shows."""
        self.uniform(f"{name}.weight", (channels,), 0.1)
        self.arrays[f"{name}.weight"] += 1
        self.uniform(f"{name}.bias", (channels,), 0.1)


def labelled(
    shape: tuple[int, ...], count: int, classes: int, noise: float = 1.0, seed: int = 1
) -> tuple[Array, Array]:
    """Examples of classes: each a pattern of its class with noise over it. (count, *shape) float32, (count,) int64."""
    random = np.random.default_rng(seed)
    patterns = random.standard_normal((classes, *shape)).astype(np.float32)
    labels = random.integers(0, classes, count)
    return patterns[labels] + noise * random.standard_normal((count, *shape)).astype(np.float32), labels


def jax_cross_entropy(scores: Any, labels: Any) -> Any:
    """Mean of -log softmax at the labels; (..., classes) and (...)."""
    import jax
    import jax.numpy as jnp

    chosen = jnp.take_along_axis(jax.nn.log_softmax(scores), labels[..., None], -1)
    return -jnp.mean(chosen)


def tensorflow_cross_entropy(scores: Any, labels: Any) -> Any:
    """Mean of -log softmax at the labels."""
    import tensorflow as tf

    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, scores))
