"""Do credits add up? The sum over all weights against the measured change of the loss, on five kinds of network.

    python benchmarks/credit.py --steps 100

Residuals are relative to the change of a step: of the whole run, their median, the worst by quadrature alone, and the
worst of what is reported (another figure only with --fit). `within`: the share of the steps in which quadrature met the
tolerance. cost, most: gradients of the probe a step, which here is all of the data; a training step takes one.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from chainrule.data.digits import load_digits
from chainrule.reports.credit import BUDGET, TOLERANCE

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


def trained(case: Case, steps: int, recorders: list[Any]) -> float:
    """The seconds of a training."""
    model, inputs, targets, rate = case
    optimizer = optim.SGD(model.parameters(), lr=rate)
    options: dict[str, Any] = {"epochs": steps, "mode": "batch", "progress": False, "recorders": recorders}
    begun = time.perf_counter()
    cr.train.fit(model, optimizer, "cross_entropy", (inputs, targets), **options)
    return time.perf_counter() - begun


def measure(make: Any, given: argparse.Namespace) -> None:
    cr.random.manual_seed(0)
    case = make()
    recorder = cr.explain.CreditRecorder(
        probe=(case[1], case[2]), budget=given.budget, tolerance=given.tolerance, fit=given.fit
    )
    seconds = trained(case, given.steps, [recorder])
    found, cost = recorder.credit, recorder.credit.steps.evaluations
    change = found.steps.change
    raw, final = (np.abs(each / change) for each in (found.steps.raw_residual, found.steps.residual))
    whole = abs(found.steps.raw_residual.sum() / found.change)
    residuals = (whole, np.median(raw), raw.max(), final.max())
    row = [f"{make.__name__:<13}{found.change:>9.4f}", *(f"{each:>9.0e}" for each in residuals)]
    row += [f"{(raw <= given.tolerance).mean():>8.0%}{cost.mean():>8.1f}{cost.max():>7.0f}"]
    print(*row, f"{found.helped_share.mean():>9.1%}{seconds:>8.1f}", sep="", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--only", default="", help="networks, by name, with commas between")
    parser.add_argument("--budget", type=float, default=BUDGET)
    parser.add_argument("--tolerance", type=float, default=TOLERANCE)
    parser.add_argument("--fit", action="store_true")
    given = parser.parse_args()
    heads = [f"{each:>9}" for each in ("change", "run", "median", "worst", "final")]
    print(f"{'network':<13}", *heads, f"{'within':>8}{'cost':>8}{'most':>7}{'helped':>9}{'s':>8}", sep="")
    for make in (xor, digits, convolutions, lstm, transformer):
        if not given.only or make.__name__ in given.only.split(","):
            measure(make, given)


if __name__ == "__main__":
    main()
