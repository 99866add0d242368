"""A network that writes: it reads a text one character at a time and learns to guess the next.

    python examples/characters.py --network lstm [--text FILE] [--steps 300]
    python examples/characters.py --network transformer

The whole training step (forward, loss, backward, update) is one native program; take `@cr.compile` away and the same
code runs operation by operation. The text is by default what the English of this repository's pages offers.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import nn, optim

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


class Recurrent(nn.Module):
    """Embedding, two LSTM layers, a linear head: (batch, time) characters to (batch, time, characters) logits."""

    def __init__(self, characters: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(characters, width)
        self.lstm = nn.LSTM(width, width, num_layers=2, batch_first=True)
        self.head = nn.Linear(width, characters)

    def forward(self, text: Any) -> Any:
        hidden, _ = self.lstm(self.embedding(text))
        return self.head(hidden)


class Attending(nn.Module):
    """Embeddings of characters and places, two transformer layers that see no later character, a linear head."""

    def __init__(self, characters: int, width: int, longest: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(characters, width)
        self.places = nn.Embedding(longest, width)
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, nn.LayerNorm(width))
        self.head = nn.Linear(width, characters)

    def forward(self, text: Any) -> Any:
        x = self.embedding(text) + self.places(cr.arange(text.shape[1]))
        return self.head(self.layers(x, is_causal=True))


def windows(text: np.ndarray, time: int, batch: int, steps: int, seed: int) -> Any:
    """`steps` batches of pieces of the text and the characters that follow: (batch, time) each."""
    starts = np.random.default_rng(seed).integers(0, len(text) - time - 1, (steps, batch))
    for row in starts:
        pieces = text[row[:, None] + np.arange(time + 1)]
        yield pieces[:, :-1], pieces[:, 1:]


def train(model: nn.Module, text: np.ndarray, time: int, batch: int, steps: int) -> list[float]:
    """The losses of all steps, in nats a character."""
    optimizer = optim.AdamW(model.parameters(), lr=3e-3)

    @cr.compile
    def step(pieces: Any, following: Any) -> Any:
        logits = model(pieces)  # (batch, time, characters)
        loss = nn.functional.cross_entropy(logits.reshape((-1, logits.shape[-1])), following.reshape((-1,)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    losses = []
    for number, (pieces, following) in enumerate(windows(text, time, batch, steps, seed=0), 1):
        losses.append(step(pieces, following).item())
        if number % max(1, steps // 5) == 0:
            print(f"step {number:5}: {losses[-1]:.3f} nats a character")
    return losses


def write(model: nn.Module, start: np.ndarray, time: int, count: int) -> np.ndarray:
    """`count` more characters after `start`, each drawn from what the network thinks likely."""
    random, text = np.random.default_rng(0), list(start)
    logits_of = cr.compile(lambda pieces: model(pieces)[:, -1])
    for _ in range(count):
        logits = logits_of(np.array([text[-time:]])).numpy()[0].astype(float)
        chances = np.exp(logits - logits.max())
        text.append(random.choice(len(chances), p=chances / chances.sum()))
    return np.array(text)


def main(arguments: Sequence[str] | None = None) -> list[float]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=["lstm", "transformer"], default="lstm")
    parser.add_argument("--text", type=Path, help="a text file (default: this repository's pages)")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--width", type=int, default=96)
    options = parser.parse_args(arguments)
    source = "\n".join(page.read_text("utf-8") for page in ([options.text] if options.text else PAGES))
    alphabet = sorted(set(source))
    text = np.array([alphabet.index(each) for each in source])
    time, batch = 64, 32
    cr.random.manual_seed(0)
    model: nn.Module = Recurrent(len(alphabet), options.width)
    if options.network == "transformer":
        model = Attending(len(alphabet), options.width, time)
    print(f"{len(text)} characters, {len(alphabet)} different; {sum(p.size for p in model.parameters())} weights")
    losses = train(model, text, time, batch, options.steps)
    print("".join(alphabet[each] for each in write(model, text[:time], time, 200)))
    return losses


if __name__ == "__main__":
    main()
