"""Do credits add up? The sum over all weights against the measured change of the loss, on five kinds of network.

    python benchmarks/credit.py --steps 100

Also the share of the parameters that helped in a step (its mean over the steps). Residuals are relative to the change;
`quadrature` is the largest of a step before its weights were fitted to the measured change, `sum` the whole run's.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from chainrule.data.digits import load_digits

Case = tuple[nn.Module, Any, Any, float]


class LastOf(nn.Module):
    """A recurrent or transformer layer over a sequence, and classes from its last place."""

    def __init__(self, layer: nn.Module, width: int) -> None:
        super().__init__()
        self.layer, self.head = layer, nn.Linear(width, 2)

    def forward(self, x: Any) -> Any:
        out = self.layer(x)
        return self.head((out[0] if isinstance(out, tuple) else out)[:, -1])


def xor() -> Case:
    inputs = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    return nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2)), inputs, np.array([0, 1, 1, 0]), 0.5


def images(rows: int) -> tuple[Any, Any]:
    pixels, labels = load_digits()
    spread = np.random.default_rng(0).permutation(len(labels))[:rows]  # they are stored class by class
    return pixels[spread].reshape(rows, 1, 28, 28).astype(np.float32) / 255, labels[spread].astype(np.int64)


def digits() -> Case:
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
    return model, *images(256), 0.1


def convolutions() -> Case:
    model = nn.Sequential(nn.Conv2d(1, 4, 5, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 144, 10))
    return model, *images(64), 0.1


def sequences(layer: nn.Module) -> Case:
    inputs = np.random.default_rng(0).normal(size=(32, 6, 8)).astype(np.float32)
    return LastOf(layer, 8), inputs, (inputs.sum(axis=(1, 2)) > 0).astype(np.int64), 0.1


def lstm() -> Case:
    return sequences(nn.LSTM(8, 8, batch_first=True))


def transformer() -> Case:
    return sequences(nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True))


def measure(name: str, case: Case, steps: int) -> None:
    model, inputs, targets, rate = case
    recorder = cr.explain.CreditRecorder(probe=(inputs, targets))
    optimizer = optim.SGD(model.parameters(), lr=rate)
    begun = time.perf_counter()
    cr.train.fit(
        model, optimizer, "cross_entropy", (inputs, targets),
        epochs=steps, mode="batch", progress=False, recorders=[recorder],
    )  # fmt: skip
    found, seconds = recorder.credit, time.perf_counter() - begun
    raw = np.abs(found.steps.raw_residual / found.steps.change).max()
    print(
        f"{name:<13}{len(found.steps):>6}{found.change:>11.4f}{found.relative_residual:>10.1e}{raw:>12.1e}"
        f"{found.helped_share.mean():>9.1%}{seconds:>8.1f} s",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--steps", type=int, default=100)
    steps = parser.parse_args().steps
    print(f"{'network':<13}{'steps':>6}{'change':>11}{'sum':>10}{'quadrature':>12}{'helped':>9}{'time':>10}")
    for make in (xor, digits, convolutions, lstm, transformer):
        cr.random.manual_seed(0)
        measure(make.__name__, make(), steps)


if __name__ == "__main__":
    main()
