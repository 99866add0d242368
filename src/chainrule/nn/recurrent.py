"""Recurrent networks over whole sequences: RNN, LSTM, GRU; of several layers, in both directions, of any lengths.

The products with the inputs are taken for all steps at once, before a loop (`cr.scan`) that holds only what depends on
the step before.
"""

from __future__ import annotations

import math
from typing import Any

from .. import functions as f
from ..control import scan
from ..errors import ConfigurationError, ShapeError
from ..tensor import Parameter, Tensor, asarray
from . import functional, init
from .functional.dropout import check_probability
from .functional.linear import linear
from .module import Module
from .recurrent_cells import activation, gru_step, lstm_step
from .utils.rnn import PackedSequence, packed, pad_packed_sequence

State = tuple[Tensor, ...]


class _Recurrent(Module):
    """What RNN, LSTM and GRU share: weights by PyTorch's names, layers, directions, lengths, layouts.

    Weights of layer k are weight_ih_lk (rows, inputs), weight_hh_lk (rows, hidden), bias_ih_lk and bias_hh_lk (rows,);
    those of the other direction end in _reverse. All start uniform within ±1/√hidden_size.
    """

    parts: int
    states = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            if size < 1:
                raise ConfigurationError(f"{name} must be 1 or more, but is {size}")
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.bidirectional = bias, batch_first, bidirectional
        self.dropout = check_probability(type(self).__name__, dropout)
        for layer in range(num_layers):
            for suffix in self._suffixes(layer):
                self._make(layer, suffix, dtype)
        self.reset_parameters()

    @property
    def output_size(self) -> int:
        """Units of the output of one direction."""
        return self.hidden_size

    def _suffixes(self, layer: int) -> list[str]:
        return [f"l{layer}", f"l{layer}_reverse"] if self.bidirectional else [f"l{layer}"]

    def _make(self, layer: int, suffix: str, dtype: Any) -> None:
        rows = self.parts * self.hidden_size
        inputs = self.input_size if layer == 0 else self.output_size * (2 if self.bidirectional else 1)
        setattr(self, f"weight_ih_{suffix}", init.empty((rows, inputs), dtype))
        setattr(self, f"weight_hh_{suffix}", init.empty((rows, self.output_size), dtype))
        if self.bias:
            setattr(self, f"bias_ih_{suffix}", init.empty((rows,), dtype))
            setattr(self, f"bias_hh_{suffix}", init.empty((rows,), dtype))

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def flatten_parameters(self) -> None:
        """Nothing: PyTorch needs it on GPUs."""

    def _weight(self, name: str, suffix: str) -> Parameter | None:
        found: Parameter | None = getattr(self, f"{name}_{suffix}", None)
        return found

    # -- what each kind says for itself

    def _inputs(self, x: Tensor, suffix: str) -> Tensor:
        """The part of the gates that comes from the inputs, for all steps: (time, batch, rows)."""
        bias, other = self._weight("bias_ih", suffix), self._weight("bias_hh", suffix)
        return linear(x, self._weight("weight_ih", suffix), None if bias is None or other is None else bias + other)

    def _step(self, gates: Tensor, state: State, suffix: str) -> State:
        """The state after one step, its output first."""
        raise NotImplementedError

    # -- running

    def forward(self, input: Any, hx: Any = None, *, lengths: Any = None) -> Any:
        """(output, last state) of sequences. input: (time, batch, inputs), with batch_first (batch, time, inputs), one
        sequence (time, inputs), or a PackedSequence. hx: the first state, zeros if not given; a state is
        (layers · directions, batch, hidden), for an LSTM a pair of them. lengths: (batch,) steps of each sequence, the
        rest is padding: it changes no state and its outputs are 0; unlike packing it works in compiled functions too.

        Raises ShapeError where shapes don't fit together.
        """
        if isinstance(input, PackedSequence):
            padded, steps = pad_packed_sequence(input)
            output, last = self._run(padded, hx, steps)
            return packed(output, steps, input.sorted_indices), last
        x = asarray(input)
        self._check(x)
        if x.ndim == 2:
            output, last = self._run(f.expand_dims(x, 1), _with_batch(hx), lengths)
            return f.squeeze(output, 1), _map(last, lambda each: f.squeeze(each, 1))
        x = f.swapaxes(x, 0, 1) if self.batch_first else x  # (time, batch, inputs)
        output, last = self._run(x, hx, lengths)
        return f.swapaxes(output, 0, 1) if self.batch_first else output, last

    def _check(self, x: Tensor) -> None:
        if x.ndim not in (2, 3) or x.shape[-1] != self.input_size:
            layout = "(batch, time, " if self.batch_first else "(time, batch, "
            raise ShapeError(
                f"{self!r} takes {layout}{self.input_size}) or (time, {self.input_size}), but was given {x.shape}"
            )

    def _run(self, x: Tensor, hx: Any, lengths: Any) -> tuple[Tensor, Any]:
        time, batch = x.shape[:2]
        first = self._first(hx, batch, x.dtype)
        valid = None if lengths is None else _valid(lengths, time, batch)
        last: list[State] = []
        for layer in range(self.num_layers):
            outputs = []
            for suffix in self._suffixes(layer):
                start = tuple(each[len(last)] for each in first)
                output, end = self._direction(x, start, suffix, valid)
                outputs.append(output)
                last.append(end)
            x = outputs[0] if len(outputs) == 1 else f.concat(outputs, axis=-1)
            if layer < self.num_layers - 1:
                x = functional.dropout(x, self.dropout, self.training)
        stacked = tuple(f.stack([state[kind] for state in last]) for kind in range(self.states))
        return x, stacked if self.states > 1 else stacked[0]

    def _direction(self, x: Tensor, start: State, suffix: str, valid: Any) -> tuple[Tensor, State]:
        """One layer in one direction: its outputs (time, batch, hidden) and its last state."""

        def body(state: State, slice: Any) -> tuple[State, Tensor]:
            gates, alive = slice if valid is not None else (slice, None)
            new = self._step(gates, state, suffix)
            if alive is None:
                return new, new[0]
            return tuple(f.where(alive, now, old) for now, old in zip(new, state)), f.where(alive, new[0], 0.0)

        gates = self._inputs(x, suffix)
        slices = gates if valid is None else (gates, valid)
        end, output = scan(body, start, slices, reverse=suffix.endswith("_reverse"))
        return output, end

    def _first(self, hx: Any, batch: int, dtype: Any) -> State:
        """The states before the first step: (layers · directions, batch, units) each."""
        count = self.num_layers * (2 if self.bidirectional else 1)
        sizes = (self.output_size, self.hidden_size)[: self.states]
        shapes = [(count, batch, size) for size in sizes]
        if hx is None:
            return tuple(f.zeros(shape, dtype) for shape in shapes)
        given = tuple(map(asarray, hx if self.states > 1 else (hx,)))
        if [each.shape for each in given] != shapes:
            raise ShapeError(
                f"{self!r} needs a first state of shape {' and '.join(map(str, shapes))}, "
                f"but was given {' and '.join(str(each.shape) for each in given)}"
            )
        return given

    def extra_repr(self) -> str:
        options = {
            "proj_size": 0,
            "num_layers": 1,
            "bias": True,
            "batch_first": False,
            "dropout": 0.0,
            "bidirectional": False,
        }
        changed = [
            f"{name}={getattr(self, name)}" for name, usual in options.items() if getattr(self, name, usual) != usual
        ]
        return ", ".join([str(self.input_size), str(self.hidden_size), *changed])


class RNN(_Recurrent):
    """h_t = tanh(W x_t + b + U h_(t-1) + c) (Elman 1990), PyTorch's arguments.

    (time, batch, input_size) to (time, batch, hidden_size · directions) and the last state.
    nonlinearity: "tanh" or "relu".

    >>> from chainrule import nn
    >>> output, hidden = nn.RNN(3, 5)(f.ones((7, 2, 3)))
    >>> output.shape, hidden.shape
    ((7, 2, 5), (1, 2, 5))
    """

    parts = 1

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh", **options: Any
    ) -> None:
        activation(nonlinearity)
        self.nonlinearity = nonlinearity
        super().__init__(input_size, hidden_size, num_layers, **options)

    def _step(self, gates: Tensor, state: State, suffix: str) -> State:
        (hidden,) = state
        return (activation(self.nonlinearity)(gates + linear(hidden, self._weight("weight_hh", suffix), None)),)


class LSTM(_Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber 1997; forget gates of Gers et al. 2000), PyTorch's arguments.

    (time, batch, input_size) to (time, batch, units · directions) and (h, c), the last states. proj_size: project the
    output to so many units (Sak et al. 2014), with the weights weight_hr_lk.

    >>> from chainrule import nn
    >>> output, (hidden, memory) = nn.LSTM(3, 5, num_layers=2, bidirectional=True)(f.ones((7, 2, 3)))
    >>> output.shape, hidden.shape
    ((7, 2, 10), (4, 2, 5))
    """

    parts, states = 4, 2

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, *, proj_size: int = 0, **options: Any
    ) -> None:
        if not 0 <= proj_size < max(hidden_size, 1):
            raise ConfigurationError(f"proj_size must be smaller than hidden_size {hidden_size}, but is {proj_size}")
        self.proj_size = proj_size
        super().__init__(input_size, hidden_size, num_layers, **options)

    @property
    def output_size(self) -> int:
        """Units of the output of one direction."""
        return self.proj_size or self.hidden_size

    def _make(self, layer: int, suffix: str, dtype: Any) -> None:
        super()._make(layer, suffix, dtype)
        if self.proj_size:
            setattr(self, f"weight_hr_{suffix}", init.empty((self.proj_size, self.hidden_size), dtype))

    def _step(self, gates: Tensor, state: State, suffix: str) -> State:
        hidden, memory = state
        hidden, memory = lstm_step(gates + linear(hidden, self._weight("weight_hh", suffix), None), memory)
        return (linear(hidden, self._weight("weight_hr", suffix), None) if self.proj_size else hidden), memory


class GRU(_Recurrent):
    """Gated recurrent units (Cho et al. 2014), PyTorch's arguments and its place of the reset gate.

    (time, batch, input_size) to (time, batch, hidden_size · directions) and the last state.

    >>> from chainrule import nn
    >>> output, hidden = nn.GRU(3, 5, batch_first=True)(f.ones((2, 7, 3)))
    >>> output.shape, hidden.shape
    ((2, 7, 5), (1, 2, 5))
    """

    parts = 3

    def _inputs(self, x: Tensor, suffix: str) -> Tensor:
        return linear(x, self._weight("weight_ih", suffix), self._weight("bias_ih", suffix))

    def _step(self, gates: Tensor, state: State, suffix: str) -> State:
        (hidden,) = state
        from_hidden = linear(hidden, self._weight("weight_hh", suffix), self._weight("bias_hh", suffix))
        return (gru_step(gates, from_hidden, hidden),)


def _valid(lengths: Any, time: int, batch: int) -> Tensor:
    """(time, batch, 1) bools: which steps belong to their sequence."""
    steps = asarray(lengths)
    if steps.shape != (batch,) or steps.dtype.kind not in "iu":
        raise ShapeError(f"lengths needs one whole number a sequence, ({batch},), but was given {steps.shape}")
    result: Tensor = f.expand_dims(f.expand_dims(f.arange(time), 1) < f.astype(steps, "int64"), -1)
    return result


def _with_batch(hx: Any) -> Any:
    return None if hx is None else _map(hx, lambda each: f.expand_dims(asarray(each), 1))


def _map(state: Any, function: Any) -> Any:
    return tuple(map(function, state)) if isinstance(state, tuple | list) else function(state)
