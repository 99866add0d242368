"""Matrix products of training and cubes, every transpose, against PyTorch and NumPy: shares of the measured peak.

    python benchmarks/matmul.py cubes mlp --threads 1 2 --rounds 7

Chainrule's times are those of the kernels of one program (`cr.compile(f).profile`), packing included, calls left out;
PyTorch and NumPy are called with arrays of theirs, the result's memory given. Turns are taken in one process, results
are compared with float64; the best of all rounds counts. N: an operand as it lies, T: turned. The peak is measured in
each round, and the largest counts: a core may be half as fast for seconds, as its neighbours are busy.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # PyTorch's threads would spin into Chainrule's turn
sys.path.insert(0, str(Path(__file__).parent))
if "--threads" in sys.argv:  # OpenBLAS asks once, when NumPy is imported
    asked = itertools.takewhile(str.isdigit, sys.argv[sys.argv.index("--threads") + 1 :])
    os.environ.setdefault("OPENBLAS_NUM_THREADS", max(asked, key=int, default="1"))

import numpy as np
from contestants.peak import Probe, measured_peak
from rich.console import Console
from rich.table import Table

CONSOLE = Console(width=None if sys.stdout.isatty() else 120)
TOLERANCE = 1e-5


class Shape(NamedTuple):
    """Products of one shape: batch, rows, columns, length of the sums; which operands are turned."""

    batch: int
    m: int
    n: int
    k: int
    turns: tuple[str, ...] = ("NN", "NT", "TN", "TT")

    @property
    def flops(self) -> int:
        """Multiplications and additions."""
        return 2 * self.batch * self.m * self.n * self.k


CUBES = [Shape(1, size, size, size) for size in (256, 512, 1024, 2048)]
MLP = [
    *[Shape(1, 64, 784, 512), Shape(1, 64, 512, 784, ("NT",)), Shape(1, 64, 256, 512, ("NT",))],
    *[Shape(1, 512, 784, 64, ("TN",)), Shape(1, 256, 512, 64, ("TN",)), Shape(1, 64, 512, 256, ("NN",))],
    *[Shape(1, 1024, 512, 784, ("NT",)), Shape(1, 512, 784, 1024, ("TN",)), Shape(1, 1024, 512, 256, ("NN",))],
    *[Shape(1, 64, 10, 256, ("NT",)), Shape(1, 10, 256, 64, ("TN",)), Shape(1, 1024, 10, 256, ("NT",))],
]
GPT = [
    *[Shape(1, 2048, 768, 256, ("NT",)), Shape(1, 2048, 1024, 256, ("NT",)), Shape(1, 2048, 256, 1024, ("NT", "NN"))],
    *[Shape(1, 1024, 256, 2048, ("TN",)), Shape(1, 256, 1024, 2048, ("TN",)), Shape(1, 2048, 96, 256, ("NT",))],
    *[Shape(64, 128, 128, 64, ("NT",)), Shape(64, 128, 64, 128, ("NN", "TN")), Shape(1, 2048, 256, 256, ("NT",))],
]
LSTM = [
    *[Shape(1, 2048, 1024, 64, ("NT",)), Shape(1, 32, 1024, 256, ("NN", "NT")), Shape(1, 32, 256, 1024, ("NN",))],
    *[Shape(1, 1024, 256, 2048, ("TN",)), Shape(1, 2048, 64, 1024, ("NN",))],
]
GROUPS = {"cubes": CUBES, "mlp": MLP, "gpt": GPT, "lstm": LSTM}


def arrays_of(shape: Shape, turns: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Operands as they lie in memory; standard normal numbers, the same each time."""
    random = np.random.default_rng(0)
    first = (shape.k, shape.m) if turns[0] == "T" else (shape.m, shape.k)
    second = (shape.n, shape.k) if turns[1] == "T" else (shape.k, shape.n)
    batch = (shape.batch,) if shape.batch > 1 else ()
    a, b = (random.standard_normal((*batch, *each)).astype(np.float32) for each in (first, second))
    return a, b


def _product(a: Any, b: Any, turns: str) -> Any:
    return (a.mT if turns[0] == "T" else a) @ (b.mT if turns[1] == "T" else b)


def _turned(array: Any, turn: str) -> Any:
    return array.swapaxes(-1, -2) if turn == "T" else array


Timed = Callable[[], float]


def ours(a: Any, b: Any, turns: str, threads: int) -> tuple[Timed, Any]:
    """Chainrule: seconds of a round, and the product."""
    import chainrule as cr

    call = cr.compile(lambda a, b: _product(a, b, turns), threads=threads)
    given = cr.tensor(a), cr.tensor(b)
    return lambda: sum(each.seconds for each in call.profile(*given, runs=3)), call(*given).numpy()


def torch_product(a: Any, b: Any, turns: str, threads: int) -> tuple[Timed, Any]:
    """PyTorch."""
    import torch

    torch.set_num_threads(threads)
    first, second = (_turned(torch.from_numpy(each), turn) for each, turn in zip((a, b), turns))
    out = torch.empty((*a.shape[:-2], first.shape[-2], second.shape[-1]))
    return _best_of(lambda: torch.matmul(first, second, out=out)), torch.matmul(first, second).numpy()


def numpy_product(a: Any, b: Any, turns: str, threads: int) -> tuple[Timed, Any]:
    """NumPy, which calls OpenBLAS; it has as many threads as the most that are asked for."""
    first, second = _turned(a, turns[0]), _turned(b, turns[1])
    out = np.matmul(first, second)
    return _best_of(lambda: np.matmul(first, second, out=out)), out


def _best_of(call: Callable[[], Any]) -> Timed:
    def once() -> float:
        begin = time.perf_counter()
        call()
        return time.perf_counter() - begin

    return lambda: min(once() for _ in range(3))


def measure(shape: Shape, turns: str, threads: int, rounds: int, peers: list[Any], peaks: list[float]) -> list[float]:
    """The best seconds of every contestant, ours first; the peak of each round is added to `peaks`."""
    a, b = arrays_of(shape, turns)
    running = [each(a, b, turns, threads) for each in (ours, *peers)]
    expected = np.matmul(_turned(a.astype(np.float64), turns[0]), _turned(b.astype(np.float64), turns[1]))
    for _, result in running:
        error = np.abs(result - expected).max() / np.abs(expected).max()
        if not error <= TOLERANCE:
            raise SystemExit(f"{shape} {turns}: a product is wrong by {error:.1e}")
    best, probe = [math.inf] * len(running), Probe()
    for _ in range(rounds):
        peaks.append(probe.measure(1))
        best = [min(least, timed()) for least, (timed, _) in zip(best, running)]
    return best


class Row(NamedTuple):
    """One product: the best seconds of each contestant, ours first."""

    shape: Shape
    turns: str
    seconds: list[float]


def peers_of(threads: int, options: argparse.Namespace) -> dict[str, Any]:
    """Those that are installed and have so many threads."""
    peers = {"torch": torch_product, "numpy": numpy_product}
    peers = {name: each for name, each in peers.items() if options.peers and importlib.util.find_spec(name)}
    if threads != max(options.threads):
        peers.pop("numpy", None)
    return peers


def rows_of(group: str, threads: int, options: argparse.Namespace, peaks: list[float]) -> list[Row]:
    """Measure every shape and transpose."""
    peers = list(peers_of(threads, options).values())
    return [
        Row(shape, turns, measure(shape, turns, threads, options.rounds, peers, peaks))
        for shape in GROUPS[group]
        for turns in shape.turns
    ]


def show(group: str, threads: int, rows: list[Row], peak: float, options: argparse.Namespace) -> None:
    """One table: a row for each shape and transpose."""
    table = Table("product", "", title=f"{group}, {threads} thread(s)", title_justify="left")
    names = [f"{name} of peak" for name in peers_of(threads, options)]
    for heading in ("chainrule", "of peak", *names, "best peer/this"):
        table.add_column(heading, justify="right", no_wrap=True)
    for shape, turns, (first, *others) in rows:
        shares = [f"{shape.flops / each / 1e9 / peak / threads:.0%}" for each in (first, *others)]
        ratio = f"{min(others) / first:.2f}" if others else "-"
        name = f"{f'{shape.batch} x ' if shape.batch > 1 else ''}{shape.m}x{shape.n}x{shape.k}"
        table.add_row(name, turns, f"{1e3 * first:.3f} ms", *shares, ratio)
    CONSOLE.print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", help=f"of {', '.join(GROUPS)}; none: all")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peak", type=float, help="GFLOP/s of multiply-adds a core; measured without it")
    parser.add_argument("--no-peers", dest="peers", action="store_false")
    options = parser.parse_args()
    processors = sorted(os.sched_getaffinity(0))
    peaks = [measured_peak(processors[:1])]
    groups = [(group, threads) for threads in options.threads for group in options.groups or GROUPS]
    found = [(*each, rows_of(*each, options, peaks)) for each in groups]
    for group, threads, rows in found:
        show(group, threads, rows, options.peak or max(peaks), options)
    middle = sorted(peaks)[len(peaks) // 2]
    CONSOLE.print(f"multiply-adds: {max(peaks):.1f} GFLOP/s a core at most, {middle:.1f} in half of the rounds")


if __name__ == "__main__":
    main()
