"""A character LSTM: 96 characters, embedding 64, hidden 256, 64 steps, batch 32, Adam."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import Adam, Array, Arrays, Draw, Workload, jax_cross_entropy, tensorflow_cross_entropy

CHARACTERS, EMBEDDING, HIDDEN, TIME, BATCH = 96, 64, 256, 64, 32


def characters(rows: int, time: int, seed: int = 1) -> Array:
    """Text of a random source whose next character depends on the one before. (rows, time) int64."""
    random = np.random.default_rng(seed)
    likely = random.integers(0, CHARACTERS, (CHARACTERS, 4))
    text = np.empty((rows, time), np.int64)
    text[:, 0] = random.integers(0, CHARACTERS, rows)
    for place in range(1, time):
        chosen = likely[text[:, place - 1], random.integers(0, 4, rows)]
        noise = random.integers(0, CHARACTERS, rows)
        text[:, place] = np.where(random.random(rows) < 0.8, chosen, noise)
    return text


class Lstm(Workload):
    name = "lstm"
    batch_size, batches = BATCH, 4
    flops = 2 * 3 * BATCH * TIME * (4 * HIDDEN * (EMBEDDING + HIDDEN) + HIDDEN * CHARACTERS)
    optimizer = Adam(2e-3)
    expected = (4.565707, 4.544024, 4.520818, 4.494334, 4.450381)

    def parameters(self) -> Arrays:
        draw, limit = Draw(), HIDDEN**-0.5
        draw.normal("embedding.weight", (CHARACTERS, EMBEDDING), 1.0)
        draw.uniform("input.weight", (4 * HIDDEN, EMBEDDING), limit)
        draw.uniform("input.bias", (4 * HIDDEN,), limit)
        draw.uniform("hidden.weight", (4 * HIDDEN, HIDDEN), limit)
        draw.linear("head", HIDDEN, CHARACTERS)
        return draw.arrays

    def data(self) -> tuple[Array, ...]:
        text = characters(self.batches * BATCH, TIME + 1)
        return np.ascontiguousarray(text[:, :-1]), np.ascontiguousarray(text[:, 1:])

    def chainrule_model(self) -> Any:
        import chainrule as cr
        from chainrule import nn

        class CharacterLstm(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.embedding = nn.Embedding(CHARACTERS, EMBEDDING)
                self.input = nn.Linear(EMBEDDING, 4 * HIDDEN)
                self.hidden = nn.Linear(HIDDEN, 4 * HIDDEN, bias=False)
                self.head = nn.Linear(HIDDEN, CHARACTERS)

            def cell(self, carry: Any, gates: Any) -> Any:
                hidden, memory = carry
                enter, forget, candidate, leave = cr.split(gates + self.hidden(hidden), HIDDEN, axis=1)
                memory = cr.sigmoid(forget) * memory + cr.sigmoid(enter) * cr.tanh(candidate)
                hidden = cr.sigmoid(leave) * cr.tanh(memory)
                return (hidden, memory), hidden

            def forward(self, text: Any) -> Any:
                gates = self.input(self.embedding(text.T))  # (time, batch, 4 · hidden)
                zeros = cr.zeros((text.shape[0], HIDDEN))
                _, hiddens = _scan(self.cell, (zeros, zeros), gates)
                return self.head(hiddens)  # (time, batch, characters)

        return CharacterLstm()

    def chainrule_loss(self, model: Any, *batch: Any) -> Any:
        from chainrule import nn

        text, following = batch
        return nn.functional.cross_entropy(model(text).reshape((-1, CHARACTERS)), following.T.reshape((-1,)))

    def torch_loss(self, weights: dict[str, Any], buffers: dict[str, Any], *batch: Any) -> Any:
        import torch
        from torch.nn import functional as f

        text, following = batch
        inputs = f.embedding(text.T, weights["embedding.weight"])
        zeros = inputs.new_zeros((1, inputs.shape[1], HIDDEN))
        layer = [weights[name] for name in ("input.weight", "hidden.weight", "input.bias")]
        layer.append(inputs.new_zeros(4 * HIDDEN))  # PyTorch wants a second bias; this one is not trained
        hiddens = torch.lstm(inputs, (zeros, zeros), layer, True, 1, 0.0, True, False, False)[0]
        scores = f.linear(hiddens, weights["head.weight"], weights["head.bias"])
        return f.cross_entropy(scores.flatten(0, 1), following.T.flatten())

    def jax_loss(self, weights: dict[str, Any], buffers: dict[str, Any], *batch: Any) -> tuple[Any, dict[str, Any]]:
        import jax
        import jax.numpy as jnp

        def cell(carry: Any, gates: Any) -> Any:
            hidden, memory = carry
            enter, forget, candidate, leave = jnp.split(gates + hidden @ weights["hidden.weight"], 4, 1)
            memory = jax.nn.sigmoid(forget) * memory + jax.nn.sigmoid(enter) * jnp.tanh(candidate)
            hidden = jax.nn.sigmoid(leave) * jnp.tanh(memory)
            return (hidden, memory), hidden

        text, following = batch
        gates = weights["embedding.weight"][text.T] @ weights["input.weight"] + weights["input.bias"]
        zeros = jnp.zeros((text.shape[0], HIDDEN))
        _, hiddens = jax.lax.scan(cell, (zeros, zeros), gates)
        return jax_cross_entropy(hiddens @ weights["head.weight"] + weights["head.bias"], following.T), buffers

    def tensorflow_loss(
        self, weights: dict[str, Any], buffers: dict[str, Any], *batch: Any
    ) -> tuple[Any, dict[str, Any]]:
        import tensorflow as tf

        text, following = batch
        gates = tf.gather(weights["embedding.weight"], tf.transpose(text)) @ weights["input.weight"]
        gates = tf.unstack(gates + weights["input.bias"], TIME)
        hidden = memory = tf.zeros((BATCH, HIDDEN))
        hiddens = []
        for time in range(TIME):
            enter, forget, candidate, leave = tf.split(gates[time] + hidden @ weights["hidden.weight"], 4, 1)
            memory = tf.sigmoid(forget) * memory + tf.sigmoid(enter) * tf.tanh(candidate)
            hidden = tf.sigmoid(leave) * tf.tanh(memory)
            hiddens.append(hidden)
        scores = tf.stack(hiddens) @ weights["head.weight"] + weights["head.bias"]
        return tensorflow_cross_entropy(scores, tf.transpose(following)), buffers


def _scan(cell: Any, carry: Any, inputs: Any) -> Any:
    """`cr.scan`; a Python loop where Chainrule has none yet."""
    import chainrule as cr

    if hasattr(cr, "scan"):
        return cr.scan(cell, carry, inputs)
    outputs = []
    for place in range(inputs.shape[0]):
        carry, output = cell(carry, inputs[place])
        outputs.append(output)
    return carry, cr.stack(outputs)


WORKLOAD = Lstm()
