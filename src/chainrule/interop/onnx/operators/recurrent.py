"""RNN, GRU and LSTM: a scan for each direction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .... import functions as fn
from ....control import scan
from ..call import OPERATORS, Call, OnnxError, dtype_of, operator

Activation = Callable[[Any], Any]
Cell = Callable[[Any, tuple[Any, ...]], tuple[Any, ...]]
"""(what a step's input gives, states) -> new states, the first of which is the output."""

WITH_ALPHA = ("Affine", "ScaledTanh", "LeakyRelu", "ThresholdedRelu", "Elu", "HardSigmoid")
WITH_BETA = ("Affine", "ScaledTanh", "HardSigmoid")
ACTIVATIONS = {each.lower(): each for each in (*WITH_ALPHA, "Sigmoid", "Tanh", "Relu", "Softsign", "Softplus")}
"""Operators that a recurrent layer may use, by their names in lower case: files write them in any case."""


def _activation(call: Call, name: str, alphas: Iterator[float], betas: Iterator[float]) -> Activation:
    given = {
        "alpha": next(alphas, None) if name in WITH_ALPHA else None,
        "beta": next(betas, None) if name in WITH_BETA else None,
    }
    inner = replace(call, operator=name, attributes={key: each for key, each in given.items() if each is not None})
    return lambda x: OPERATORS[name](inner, x)


def _activations(call: Call, usual: Sequence[str], directions: int) -> list[list[Activation]]:
    """The activations of each direction. Alphas and betas are given in order to those that have any."""
    names = [each.decode() if isinstance(each, bytes) else each for each in call.get("activations") or []]
    names = names or [*usual] * directions
    alphas, betas = iter(call.get("activation_alpha") or ()), iter(call.get("activation_beta") or ())
    found = []
    for name in map(str.lower, names):
        if name not in ACTIVATIONS:
            raise OnnxError(f"{call.operator} has the activation {name}, which ONNX does not know")
        found.append(_activation(call, ACTIVATIONS[name], alphas, betas))
    each = len(usual)
    return [found[start : start + each] for start in range(0, len(found), each)]


class _Layer:
    """What the three have in common: directions, lengths, layout, first states."""

    def __init__(self, call: Call, x: Any, lengths: Any, states: Sequence[Any]) -> None:
        self.batch_first = bool(call.get("layout", 0))
        self.x = fn.swapaxes(x, 0, 1) if self.batch_first else fn.asarray(x)  # (time, batch, features)
        self.hidden = call.get("hidden_size")
        self.clip = call.get("clip")
        direction = call.text("direction", "forward")
        self.reverse = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[direction]
        time, batch = self.x.shape[:2]
        self.first = [self._first(state, batch) for state in states]
        self.mask = None
        if lengths is not None:
            steps = np.arange(time).reshape(-1, 1, 1)
            self.mask = steps < fn.reshape(fn.asarray(lengths), (1, -1, 1))

    def _first(self, state: Any, batch: int) -> Any:
        if state is None:
            return fn.zeros((len(self.reverse), batch, self.hidden), dtype_of(self.x))
        return fn.swapaxes(state, 0, 1) if self.batch_first else fn.asarray(state)

    def limited(self, x: Any) -> Any:
        """Before an activation: cut off where the file says so."""
        return x if self.clip is None else fn.clip(x, -self.clip, self.clip)

    def run(self, number: int, gates: Any, cell: Cell) -> tuple[tuple[Any, ...], Any]:
        """One direction: the last states, and the outputs of all steps. gates: (time, batch, n), from the inputs."""

        def step(states: tuple[Any, ...], given: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
            new = cell(given[0], states)
            if self.mask is None:
                return new, new[0]
            inside = given[1]
            held = tuple(fn.where(inside, after, before) for after, before in zip(new, states))
            return held, fn.where(inside, new[0], fn.zeros_like(new[0]))

        first = tuple(state[number] for state in self.first)
        xs = (gates,) if self.mask is None else (gates, self.mask)
        return scan(step, first, xs, reverse=self.reverse[number])

    def outputs(self, runs: Sequence[tuple[tuple[Any, ...], Any]]) -> list[Any]:
        """(Y, Y_h, ...) in the layout of the file."""
        y = fn.stack([outputs for _, outputs in runs], axis=1)  # (time, directions, batch, hidden)
        lasts = [fn.stack(list(states), axis=0) for states in zip(*(states for states, _ in runs))]
        if not self.batch_first:
            return [y, *lasts]
        return [fn.permute_dims(y, (2, 0, 1, 3)), *(fn.swapaxes(last, 0, 1) for last in lasts)]


def _weights(w: Any, r: Any, b: Any, number: int) -> tuple[Any, Any, Any, Any]:
    """Of one direction: of the input and of the state, transposed, and their biases."""
    wide, recurrent = fn.asarray(w)[number], fn.asarray(r)[number]
    if b is None:
        zero = fn.zeros(wide.shape[0], wide.dtype)
        return fn.matrix_transpose(wide), fn.matrix_transpose(recurrent), zero, zero
    bias = fn.asarray(b)[number]
    half = bias.shape[0] // 2
    return fn.matrix_transpose(wide), fn.matrix_transpose(recurrent), bias[:half], bias[half:]


@operator("RNN")
def _rnn(call: Call, x: Any, w: Any, r: Any, b: Any = None, lengths: Any = None, h: Any = None) -> Any:
    layer = _Layer(call, x, lengths, [h])
    functions = _activations(call, ["Tanh"], len(layer.reverse))

    def direction(number: int) -> Any:
        wide, recurrent, bias, more = _weights(w, r, b, number)
        (f,) = functions[number]

        def cell(gates: Any, states: tuple[Any, ...]) -> tuple[Any, ...]:
            return (f(layer.limited(gates + states[0] @ recurrent)),)

        return layer.run(number, layer.x @ wide + (bias + more), cell)

    return layer.outputs([direction(number) for number in range(len(layer.reverse))])


@operator("GRU")
def _gru(call: Call, x: Any, w: Any, r: Any, b: Any = None, lengths: Any = None, h: Any = None) -> Any:
    layer, n = _Layer(call, x, lengths, [h]), call.get("hidden_size")
    functions, reset_last = (
        _activations(call, ["Sigmoid", "Tanh"], len(layer.reverse)),
        call.get("linear_before_reset", 0),
    )

    def direction(number: int) -> Any:
        wide, recurrent, bias, more = _weights(w, r, b, number)
        f, g = functions[number]

        def cell(gates: Any, states: tuple[Any, ...]) -> tuple[Any, ...]:
            (before,) = states
            both = f(layer.limited(gates[:, : 2 * n] + before @ recurrent[:, : 2 * n] + more[: 2 * n]))
            update, reset = both[:, :n], both[:, n:]
            last, last_bias = recurrent[:, 2 * n :], more[2 * n :]
            inner = reset * (before @ last + last_bias) if reset_last else (reset * before) @ last + last_bias
            candidate = g(layer.limited(gates[:, 2 * n :] + inner))
            return ((1 - update) * candidate + update * before,)

        return layer.run(number, layer.x @ wide + bias, cell)

    return layer.outputs([direction(number) for number in range(len(layer.reverse))])


@operator("LSTM")
def _lstm(
    call: Call,
    x: Any,
    w: Any,
    r: Any,
    b: Any = None,
    lengths: Any = None,
    h: Any = None,
    c: Any = None,
    peepholes: Any = None,
) -> Any:
    layer, n = _Layer(call, x, lengths, [h, c]), call.get("hidden_size")
    functions = _activations(call, ["Sigmoid", "Tanh", "Tanh"], len(layer.reverse))

    def direction(number: int) -> Any:
        wide, recurrent, bias, more = _weights(w, r, b, number)
        f, g, last = functions[number]
        seen = [0.0] * 3 if peepholes is None else fn.split(fn.asarray(peepholes)[number], n)

        def cell(gates: Any, states: tuple[Any, ...]) -> tuple[Any, ...]:
            before, memory = states
            i, o, forget, candidate = fn.split(gates + before @ recurrent, n, axis=1)
            enter = f(layer.limited(i + seen[0] * memory))
            keep = 1 - enter if call.get("input_forget", 0) else f(layer.limited(forget + seen[2] * memory))
            new = keep * memory + enter * g(layer.limited(candidate))
            return f(layer.limited(o + seen[1] * new)) * last(new), new

        return layer.run(number, layer.x @ wide + (bias + more), cell)

    return layer.outputs([direction(number) for number in range(len(layer.reverse))])
