"""JAX: one step a call, the whole step in one jit; weights and moments are donated."""

from __future__ import annotations

import itertools
from typing import Any

from workloads.base import Workload

from .runner import Runner, lacks
from .update import first_moments, updated


def missing() -> str:
    """What it lacks here."""
    return lacks("jax")


class JaxRunner(Runner):
    """Everything a step changes is one pytree."""

    def __init__(self, workload: Workload) -> None:
        import jax
        import jax.numpy as jnp

        self.jax, self.jnp, self.workload = jax, jnp, workload
        self.data = workload.data_for_xla(workload.data())
        self.prepare_data()
        self.reset()

    def prepare_data(self) -> None:
        """The batches, and the step."""
        self.batches = [tuple(map(self.jnp.asarray, batch)) for batch in self.workload.batched(self.data)]
        self.compiled = self.jax.jit(self.step, donate_argnums=0)

    def reset(self) -> None:
        weights = {name: self.jnp.array(each) for name, each in self._weights().items()}
        buffers = {name: self.jnp.array(array) for name, array in self.workload.buffers().items()}
        moments = first_moments(self.workload, weights, self.jnp.zeros_like)
        self.state: Any = (weights, moments, buffers, self.jnp.zeros(()))
        self.jax.block_until_ready(self.state)

    def _weights(self) -> dict[str, Any]:
        return self.workload.for_xla(self.workload.parameters())

    def step(self, state: Any, batch: tuple[Any, ...]) -> Any:
        """Forward, backward, update, as one pure function."""
        weights, moments, buffers, count = state
        slope = self.jax.value_and_grad(self.workload.jax_loss, has_aux=True)
        (loss, buffers), gradients = slope(weights, buffers, *batch)
        functions = self.jnp.sqrt, self.jnp.expm1
        weights, moments = updated(self.workload, weights, moments, gradients, count + 1, *functions)
        return (weights, moments, buffers, count + 1), loss

    def advance(self, steps: int, keep: int = 0) -> list[float]:
        kept, batches = [], itertools.cycle(self.batches)
        for number in range(steps):
            self.state, loss = self.compiled(self.state, next(batches))
            if number < keep:
                kept.append(float(loss))
        self.jax.block_until_ready((self.state, loss))
        return kept


def prepare(workload: Workload, threads: int) -> Runner:
    """Ready for its first step, which compiles. The number of threads is that of the processors it may use."""
    return JaxRunner(workload)
