"""TensorFlow: the whole step in one `tf.function(jit_compile=True)`, weights and moments in variables."""

from __future__ import annotations

import itertools
from typing import Any

from workloads.base import Workload

from .runner import Runner, lacks
from .update import first_moments, updated


def missing() -> str:
    """What it lacks here."""
    return lacks("tensorflow")


class TensorflowRunner(Runner):
    def __init__(self, workload: Workload) -> None:
        import tensorflow as tf

        self.tf, self.workload = tf, workload
        weights = workload.for_xla(workload.parameters())
        self.weights = {name: tf.Variable(array) for name, array in weights.items()}
        self.buffers = {name: tf.Variable(array) for name, array in workload.buffers().items()}
        self.moments = {
            name: tf.Variable(array) for name, array in first_moments(workload, weights, tf.zeros_like).items()
        }
        self.count = tf.Variable(0.0)
        data = workload.batched(workload.data_for_xla(workload.data()))
        self.batches = [tuple(map(tf.constant, batch)) for batch in data]
        self.compiled = tf.function(self.step, jit_compile=True)

    def reset(self) -> None:
        for name, array in self.workload.for_xla(self.workload.parameters()).items():
            self.weights[name].assign(array)
        for name, array in self.workload.buffers().items():
            self.buffers[name].assign(array)
        for variable in (*self.moments.values(), self.count):
            variable.assign(self.tf.zeros_like(variable))

    def step(self, *batch: Any) -> Any:
        """Forward, backward, update."""
        with self.tf.GradientTape() as tape:
            loss, buffers = self.workload.tensorflow_loss(self.weights, self.buffers, *batch)
        found = tape.gradient(loss, self.weights)
        gradients = {name: self.tf.convert_to_tensor(gradient) for name, gradient in found.items()}
        self.count.assign_add(1.0)
        values = ({name: each.value() for name, each in part.items()} for part in (self.weights, self.moments))
        functions = self.tf.sqrt, self.tf.math.expm1
        weights, moments = updated(self.workload, *values, gradients, self.count.value(), *functions)
        for part, new in ((self.weights, weights), (self.moments, moments), (self.buffers, buffers)):
            for name, variable in part.items():
                if new is not part:
                    variable.assign(new[name])
        return loss

    def advance(self, steps: int, keep: int = 0) -> list[float]:
        kept, batches = [], itertools.cycle(self.batches)
        for number in range(steps):
            loss = self.compiled(*next(batches))
            if number < keep:
                kept.append(float(loss))
        loss.numpy()
        return kept


def prepare(workload: Workload, threads: int) -> Runner:
    """Ready for its first step, which compiles."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    return TensorflowRunner(workload)
