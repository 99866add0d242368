"""One step of recurrent networks: RNNCell, LSTMCell, GRUCell, and the arithmetic that the layers share."""

from __future__ import annotations

import math
from typing import Any

from .. import functions as f
from ..errors import ShapeError, unknown_name
from ..tensor import Parameter, Tensor, asarray
from . import init
from .functional.linear import linear
from .module import Module

ACTIVATIONS: dict[str, Any] = {"tanh": f.tanh, "relu": f.relu}


def activation(nonlinearity: str) -> Any:
    """The function of that name; UnknownNameError for another."""
    if nonlinearity not in ACTIVATIONS:
        raise unknown_name("nonlinearity", nonlinearity, ACTIVATIONS)
    return ACTIVATIONS[nonlinearity]


def lstm_step(gates: Any, memory: Any) -> tuple[Tensor, Tensor]:
    """(hidden, memory) after one step; gates (..., 4 · hidden): in, forget, candidate, out (Gers et al. 2000)."""
    enter, forget, candidate, leave = f.split(gates, gates.shape[-1] // 4, axis=-1)
    memory = f.sigmoid(forget) * memory + f.sigmoid(enter) * f.tanh(candidate)
    return f.sigmoid(leave) * f.tanh(memory), memory


def gru_step(from_input: Any, from_hidden: Any, hidden: Any) -> Tensor:
    """The hidden state after one step (Cho et al. 2014); both (..., 3 · hidden): reset, update, candidate."""
    size = hidden.shape[-1]
    reset, update, candidate = f.split(from_input, size, axis=-1)
    hidden_reset, hidden_update, hidden_candidate = f.split(from_hidden, size, axis=-1)
    kept = f.sigmoid(update + hidden_update)
    new = f.tanh(candidate + f.sigmoid(reset + hidden_reset) * hidden_candidate)
    result: Tensor = new + kept * (hidden - new)
    return result


class _Cell(Module):
    """Weights of one step, uniform within ±1/√hidden_size, as in PyTorch."""

    parts: int

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, dtype: Any = None) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self._has_bias = input_size, hidden_size, bias
        rows = self.parts * hidden_size
        self.weight_ih: Parameter = init.empty((rows, input_size), dtype)
        self.weight_hh: Parameter = init.empty((rows, hidden_size), dtype)
        self.bias_ih: Parameter | None = init.empty((rows,), dtype) if bias else None
        self.bias_hh: Parameter | None = init.empty((rows,), dtype) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size else 0.0
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _checked(self, given: Any) -> Tensor:
        x = asarray(given)
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            raise ShapeError(
                f"{self!r} takes (batch, {self.input_size}) or ({self.input_size},), but was given {x.shape}"
            )
        return x

    def _start(self, x: Tensor, given: Any) -> Any:
        return f.zeros((*x.shape[:-1], self.hidden_size), x.dtype) if given is None else asarray(given)

    def _from_input(self, x: Any) -> Tensor:
        return linear(x, self.weight_ih, self.bias_ih)

    def _from_hidden(self, hidden: Any) -> Tensor:
        return linear(hidden, self.weight_hh, self.bias_hh)

    def extra_repr(self) -> str:
        shown = f"{self.input_size}, {self.hidden_size}"
        return shown if self._has_bias else f"{shown}, bias=False"


class RNNCell(_Cell):
    """h' = tanh(W x + b + U h + c) (Elman 1990): x (batch, input_size), h (batch, hidden_size) to h'.

    nonlinearity: "tanh" or "relu". hx: zeros where it is not given.
    """

    parts = 1

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", dtype: Any = None
    ) -> None:
        activation(nonlinearity)
        super().__init__(input_size, hidden_size, bias, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Any = None) -> Any:
        x = self._checked(input)
        hidden = self._start(x, hx)
        return activation(self.nonlinearity)(self._from_input(x) + self._from_hidden(hidden))

    def extra_repr(self) -> str:
        shown = super().extra_repr()
        return shown if self.nonlinearity == "tanh" else f"{shown}, nonlinearity={self.nonlinearity}"


class LSTMCell(_Cell):
    """One step of an LSTM (Hochreiter and Schmidhuber 1997, with forget gates): x, (h, c) to (h', c').

    Rows of the weights: input gate, forget gate, candidate, output gate. hx: (h, c), zeros where not given.
    """

    parts = 4

    def forward(self, input: Any, hx: Any = None) -> Any:
        x = self._checked(input)
        hidden, memory = (None, None) if hx is None else hx
        hidden, memory = self._start(x, hidden), self._start(x, memory)
        return lstm_step(self._from_input(x) + self._from_hidden(hidden), memory)


class GRUCell(_Cell):
    """One step of a GRU (Cho et al. 2014): x (batch, input_size), h (batch, hidden_size) to h'.

    Rows of the weights: reset gate, update gate, candidate, as in PyTorch. hx: zeros where it is not given.
    """

    parts = 3

    def forward(self, input: Any, hx: Any = None) -> Any:
        x = self._checked(input)
        hidden = self._start(x, hx)
        return gru_step(self._from_input(x), self._from_hidden(hidden), hidden)
