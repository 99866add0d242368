"""Small networks of every kind, with data and a loss, for the tests of reports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import chainrule as cr
from chainrule import nn

Array = np.ndarray[Any, Any]


class Case(NamedTuple):
    """A network with its loss, examples and learning rate."""

    model: nn.Module
    loss: Any
    inputs: Array
    targets: Array
    lr: float


def xor() -> Case:
    cr.random.manual_seed(1)
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    inputs = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    return Case(model, "bce_with_logits", inputs, np.array([[0], [1], [1], [0]], np.float32), 0.3)


def digits(hidden: int = 8, count: int = 60) -> Case:
    cr.random.manual_seed(0)
    (images, labels), _ = cr.data.digits()
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, 10))
    return Case(model, "cross_entropy", images[:count], labels[:count], 0.1)


def convolution() -> Case:
    cr.random.manual_seed(0)
    (images, labels), _ = cr.data.digits()
    small = images[:30].reshape(30, 1, 14, 2, 14, 2).mean(axis=(3, 5)).astype(np.float32)
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(108, 10)
    )
    return Case(model, "cross_entropy", small, labels[:30], 0.05)


def _scores_loss(outputs: Any, targets: Any) -> Any:
    return nn.functional.cross_entropy(outputs.reshape((-1, outputs.shape[-1])), targets.reshape((-1,)))


class LanguageLstm(nn.Module):
    """Characters in, scores of the next character out, through an LSTM."""

    def __init__(self, characters: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(characters, width)
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.head = nn.Linear(width, characters)

    def forward(self, text: Any) -> Any:
        hidden, _ = self.lstm(self.embedding(text))
        return self.head(hidden)


class Transformer(nn.Module):
    """One block of attention and a widened layer, both with layer norm, over characters."""

    def __init__(self, characters: int, width: int, time: int) -> None:
        super().__init__()
        self.embedding, self.places = nn.Embedding(characters, width), nn.Embedding(time, width)
        self.first_norm, self.second_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend, self.project = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.head = nn.Linear(width, characters)

    def forward(self, text: Any) -> Any:
        x = self.embedding(text) + self.places.weight
        batch, time, width = x.shape
        parts = self.attend(self.first_norm(x)).reshape((batch, time, 3, 2, width // 2))
        heads = cr.permute_dims(parts, (2, 0, 3, 1, 4))  # (3, batch, heads, time, width / heads)
        seen = nn.functional.scaled_dot_product_attention(heads[0], heads[1], heads[2], is_causal=True)
        x = x + self.project(cr.permute_dims(seen, (0, 2, 1, 3)).reshape((batch, time, width)))
        x = x + self.narrow(nn.functional.gelu(self.widen(self.second_norm(x))))
        return self.head(x)


def _text(count: int, time: int, characters: int) -> tuple[Array, Array]:
    draw = np.random.default_rng(0)
    starts = draw.integers(0, characters, (count, 1))
    text = (starts + 3 * np.arange(time + 1)) % characters  # each character tells the next
    return text[:, :-1], text[:, 1:]


def lstm() -> Case:
    cr.random.manual_seed(0)
    return Case(LanguageLstm(12, 8), _scores_loss, *_text(20, 6, 12), 0.5)


def transformer() -> Case:
    cr.random.manual_seed(0)
    return Case(Transformer(12, 8, 6), _scores_loss, *_text(20, 6, 12), 0.2)


CASES: dict[str, Callable[[], Case]] = {
    "xor": xor,
    "digits": digits,
    "convolution": convolution,
    "lstm": lstm,
    "transformer": transformer,
}
