"""Convolutions and both gradients, layer by layer, against PyTorch with channels first and last: shares of peak.

    python benchmarks/convolutions.py --threads 1 2 --rounds 5 resnet20 lenet5

Work is counted without what falls on padding, which need not be multiplied. Chainrule's times are those of the kernels
of one program (`cr.compile(f).profile`), the weights laid out and partial sums added up included; arrays are laid out
once for a whole program, so that is left out, as PyTorch's arrays are in the layout it is timed with. Turns are taken
in one process, results are compared; the best of all rounds counts. A core's speed comes and goes with its neighbours:
so "steady" is the median share of what multiply-adds did right before and after, in rounds where those were fast.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # PyTorch's threads would spin into Chainrule's turn
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from contestants.peak import Probe, measured_peak
from rich.console import Console
from rich.table import Table

CONSOLE = Console(width=None if sys.stdout.isatty() else 150)
PARTS = {
    "forward": "convolution",
    "input gradient": "convolution_input_gradient",
    "weight gradient": "convolution_weight_gradient",
}
TOLERANCE = 1e-4
FAST = 0.95
"""Of the peak, multiply-adds in rounds that count as steady."""


class Layer(NamedTuple):
    """A convolution of square maps: examples, channels in and out, size of the maps, kernel, stride, padding."""

    examples: int
    channels: int
    out: int
    size: int
    kernel: int
    stride: int = 1
    padding: int = 0

    def __str__(self) -> str:
        return f"{self.kernel}x{self.kernel}/{self.stride} {self.channels}->{self.out} at {self.size}"

    @property
    def places(self) -> int:
        """Width of the output."""
        return (self.size + 2 * self.padding - self.kernel) // self.stride + 1

    @property
    def flops(self) -> int:
        """Multiplications and additions with elements of the input: padding is left out."""
        inside = sum(
            0 <= place * self.stride + tap - self.padding < self.size
            for place in range(self.places)
            for tap in range(self.kernel)
        )
        return 2 * self.examples * self.channels * self.out * inside * inside


NETWORKS = {
    "resnet20": [
        Layer(64, 3, 16, 32, 3, 1, 1),
        Layer(64, 16, 16, 32, 3, 1, 1),
        Layer(64, 16, 32, 32, 3, 2, 1),
        Layer(64, 16, 32, 32, 1, 2),
        Layer(64, 32, 32, 16, 3, 1, 1),
        Layer(64, 32, 64, 16, 3, 2, 1),
        Layer(64, 32, 64, 16, 1, 2),
        Layer(64, 64, 64, 8, 3, 1, 1),
    ],
    "3x3": [Layer(64, 16, 16, 32, 3, 1, 1), Layer(64, 32, 32, 16, 3, 1, 1), Layer(64, 64, 64, 8, 3, 1, 1)],
    "lenet5": [Layer(64, 1, 6, 28, 5, 1, 2), Layer(64, 6, 16, 14, 5)],
    "resnet50": [  # small batches
        Layer(8, 64, 64, 56, 3, 1, 1),
        Layer(8, 128, 128, 28, 3, 1, 1),
        Layer(8, 256, 256, 14, 3, 1, 1),
        Layer(8, 512, 512, 7, 3, 1, 1),
        Layer(8, 256, 64, 56, 1),
        Layer(8, 64, 256, 56, 1),
        Layer(8, 1024, 256, 14, 1),
        Layer(8, 512, 2048, 7, 1),
        Layer(8, 128, 128, 56, 3, 2, 1),
        Layer(8, 256, 512, 56, 1, 2),
    ],
    "others": [
        Layer(32, 32, 64, 14, 5, 1, 2),
        Layer(64, 32, 64, 28, 3, 1, 1),
        Layer(1, 64, 64, 56, 3, 1, 1),
        Layer(16, 128, 128, 14, 3, 1, 1),
        Layer(16, 256, 64, 14, 1),
        Layer(32, 48, 48, 14, 3, 1, 1),
    ],
}


class Arrays(NamedTuple):
    """Input, weights, cotangent of the output."""

    x: Any
    weight: Any
    cotangent: Any


def arrays_of(layer: Layer) -> Arrays:
    """Standard normal numbers, the same each time."""
    random = np.random.default_rng(0)
    shapes = (
        (layer.examples, layer.channels, layer.size, layer.size),
        (layer.out, layer.channels, layer.kernel, layer.kernel),
        (layer.examples, layer.out, layer.places, layer.places),
    )
    return Arrays(*(random.standard_normal(shape).astype(np.float32) for shape in shapes))


class Contestant:
    """Times of all parts of one layer, in seconds, and the results."""

    def results(self) -> dict[str, Any]:
        """Output and gradients."""
        raise NotImplementedError

    def seconds(self) -> dict[str, float]:
        """One round."""
        raise NotImplementedError


class Ours(Contestant):
    """Chainrule."""

    def __init__(self, layer: Layer, arrays: Arrays, threads: int) -> None:
        import chainrule as cr
        from chainrule import nn

        def convolved(x: Any, weight: Any) -> Any:
            return nn.functional.conv2d(x, weight, None, layer.stride, layer.padding)

        def everything(x: Any, weight: Any, cotangent: Any) -> Any:
            output, pullback = cr.vjp(convolved, x, weight)
            return output, *pullback(cotangent)

        self.call, self.arrays = cr.compile(everything, threads=threads), list(map(cr.tensor, arrays))

    def results(self) -> dict[str, Any]:
        return dict(zip(PARTS, (each.numpy() for each in self.call(*self.arrays))))

    def seconds(self) -> dict[str, float]:
        kernels = self.call.profile(*self.arrays, runs=5)
        return {
            part: sum(each.seconds for each in kernels if each.label.startswith(f"{name} "))
            for part, name in PARTS.items()
        }


class Torch(Contestant):
    """PyTorch with channels first or last."""

    def __init__(self, layer: Layer, arrays: Arrays, threads: int, last: bool) -> None:
        import torch

        torch.set_num_threads(threads)
        memory = torch.channels_last if last else torch.contiguous_format
        x, weight, cotangent = (torch.from_numpy(each).contiguous(memory_format=memory) for each in arrays)
        space, edges = [layer.stride] * 2, [layer.padding] * 2

        def backward(mask: list[bool]) -> Any:
            arguments = (cotangent, x, weight, None, space, edges, [1, 1], False, [0, 0], 1, mask)
            return torch.ops.aten.convolution_backward(*arguments)

        self.calls: dict[str, Callable[[], Any]] = {
            "forward": lambda: torch.nn.functional.conv2d(x, weight, None, space, edges),
            "input gradient": lambda: backward([True, False, False])[0],
            "weight gradient": lambda: backward([False, True, False])[1],
        }

    def results(self) -> dict[str, Any]:
        return {part: call().numpy() for part, call in self.calls.items()}

    def seconds(self) -> dict[str, float]:
        return {part: min(_timed(call) for _ in range(5)) for part, call in self.calls.items()}


def _timed(call: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def contestants(layer: Layer, threads: int, peers: bool) -> dict[str, Contestant]:
    """Those that are installed, their results compared."""
    arrays = arrays_of(layer)
    found: dict[str, Contestant] = {"chainrule": Ours(layer, arrays, threads)}
    if peers:
        found["torch, channels first"] = Torch(layer, arrays, threads, False)
        found["torch, channels last"] = Torch(layer, arrays, threads, True)
    first, *others = [each.results() for each in found.values()]
    for other in others:
        for part, result in first.items():
            error = np.abs(result - other[part]).max() / np.abs(result).max()
            if not error <= TOLERANCE:
                raise SystemExit(f"{layer}, {part}: results differ by {error:.1e}")
    return found


def has_torch() -> bool:
    """Whether the peer is installed."""
    import importlib.util

    return importlib.util.find_spec("torch") is not None


class Round(NamedTuple):
    """Seconds of each part of Chainrule's, and multiply-adds before and after, in GFLOP/s."""

    seconds: dict[str, float]
    before: float
    after: float


class Times(NamedTuple):
    """The best seconds of every contestant and part; all rounds of Chainrule's."""

    best: dict[str, dict[str, float]]
    rounds: list[Round]

    @property
    def fastest(self) -> float:
        """The most multiply-adds of any round."""
        return max(max(each.before, each.after) for each in self.rounds)

    def steady(self, part: str, flops: float, peak: float) -> str:
        """The median share where multiply-adds were near the peak, if they ever were."""
        fast = [each for each in self.rounds if min(each.before, each.after) >= FAST * peak]
        shares = [flops / each.seconds[part] / 1e9 / max(each.before, each.after) for each in fast]
        return f"{statistics.median(shares):.0%}" if shares else "-"


def measure(layer: Layer, threads: int, rounds: int, peers: bool) -> Times:
    """All contestants in turns."""
    running, probe = contestants(layer, threads, peers), Probe()
    times = Times({name: dict.fromkeys(PARTS, math.inf) for name in running}, [])
    for _ in range(rounds):
        for name, contestant in running.items():
            before = probe.measure(1)
            seconds = contestant.seconds()
            if isinstance(contestant, Ours):
                times.rounds.append(Round(seconds, before, probe.measure(1)))
            times.best[name] = {part: min(times.best[name][part], seconds[part]) for part in PARTS}
    return times


def show(network: str, threads: int, peak: float, options: argparse.Namespace) -> None:
    """One table: a row for each layer and part."""
    table = Table("layer", "part", title=f"{network}, {threads} thread(s)", title_justify="left")
    for heading in ("MFLOP", "chainrule", "of peak", "steady", "torch first", "torch last", "torch/this"):
        table.add_column(heading, justify="right", no_wrap=True)
    found = {layer: measure(layer, threads, options.rounds, options.peers) for layer in NETWORKS[network]}
    peak = options.peak or max(peak, *(times.fastest for times in found.values()))
    for layer, times in found.items():
        for part in PARTS:
            ours, *others = (best[part] for best in times.best.values())
            share = layer.flops / ours / 1e9 / peak / threads
            cells = [*(f"{1e3 * each:.3f} ms" for each in others), f"{min(others) / ours:.2f}"] if others else ["-"] * 3
            shares = f"{share:.0%}", times.steady(part, layer.flops / threads, peak)
            table.add_row(str(layer), part, f"{layer.flops / 1e6:.0f}", f"{1e3 * ours:.3f} ms", *shares, *cells)
    CONSOLE.print(table)
    CONSOLE.print(f"of multiply-adds at {peak:.1f} GFLOP/s a core")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", help=f"of {', '.join(NETWORKS)}; none: the first two")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peak", type=float, help="GFLOP/s of multiply-adds a core; measured without it")
    parser.add_argument("--no-peers", dest="peers", action="store_false")
    options = parser.parse_args()
    options.peers = options.peers and has_torch()
    peak = measured_peak(sorted(os.sched_getaffinity(0))[:1])
    for threads in options.threads:
        for network in options.networks or ["resnet20", "lenet5"]:
            show(network, threads, peak, options)


if __name__ == "__main__":
    main()
