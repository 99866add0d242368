"""What looking for NaN and infinity costs: `cr.compile(step, check_finite=True)` against the same step without.

    python benchmarks/check_finite.py mlp_b64 lenet5 --threads 2

Calls on batches in tensors and in NumPy arrays, and whole epochs. Steps with and without the check take turns; each
turn begins after some steps that are not counted, since the other one's have left its weights in the caches.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import workloads
from contestants.chainrule_compiled import CompiledRunner

import chainrule as cr

WARM = 5


def steps_of(name: str, threads: int, check: bool) -> dict[str, Callable[[int], list[float]]]:
    """By what they are given, functions that make so many steps and give the seconds of each."""
    runner = CompiledRunner(workloads.load(name), threads)
    size = runner.workload.batch_size
    step = cr.compile(runner.step, threads=threads, check_finite=check)
    tensors = itertools.cycle(runner.batches)
    arrays = itertools.cycle([tuple(np.array(each) for each in batch) for batch in runner.batches])
    rows = np.arange(runner.workload.batches * size)

    def calls(batches: Any, count: int) -> list[float]:
        return [seconds(step, *next(batches)) for _ in range(WARM + count)][WARM:]

    def epochs(count: int) -> list[float]:
        step.epoch(*runner.data, batch_size=size, order=rows[: WARM * size])
        order = np.resize(rows, count * size)
        return [seconds(lambda: step.epoch(*runner.data, batch_size=size, order=order)) / count]

    return {"tensors": lambda n: calls(tensors, n), "NumPy arrays": lambda n: calls(arrays, n), "epochs": epochs}


def seconds(call: Callable[..., Any], *arguments: Any) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - start


def measure(name: str, threads: int, rounds: int, block: float) -> None:
    """Print what the check adds to a step of one workload."""
    without, with_check = (steps_of(name, threads, check) for check in (False, True))
    for what in without:
        both = without[what], with_check[what]
        count = max(5, round(block / statistics.median(without[what](5))))
        for steps in both:
            steps(count)
        taken = [[steps(count) for steps in both] for _ in range(rounds)]
        shares = [statistics.mean(on) / statistics.mean(off) - 1 for off, on in taken]
        medians = [statistics.median(on) / statistics.median(off) - 1 for off, on in taken]
        plain = statistics.median(itertools.chain.from_iterable(off for off, _ in taken))
        print(
            f"{name:<10} {what:<13} {threads} threads  {1e6 * plain:9.1f} us a step  with the check "
            f"{statistics.median(shares):+6.1%} on average (rounds {min(shares):+.1%} to {max(shares):+.1%}), "
            f"{statistics.median(medians):+6.1%} for the median step",
            flush=True,
        )


def main() -> None:
    """One workload after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload", nargs="*", default=["mlp_tiny", "mlp_b64", "lenet5"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.3, help="of each turn")
    arguments = parser.parse_args()
    for name in arguments.workload:
        measure(name, arguments.threads, arguments.rounds, arguments.seconds)


if __name__ == "__main__":
    main()
