"""Products in bfloat16 against float32, and against PyTorch's autocast: time of a step, and the loss after many.

The loss is that of many steps, each on a batch of its own: the mean of the last ten.

    python benchmarks/bfloat16.py gpt_mini --steps 60 --threads 1

On a processor with an instruction for products of bfloat16 (`avx512bf16`, Arm's `bf16`) ours is used; without one the
same numbers take rounding on top of the products of float32, and PyTorch's take seconds a step (leave it out with
--contestants). The exit status is 1 where a loss is more than 1 % off.
"""

from __future__ import annotations

import argparse
import statistics
import sys

from contestants.process import Child
from rich.console import Console
from rich.table import Table

import steps as timing

CONTESTANTS = ("chainrule_epoch", "chainrule_bfloat16", "torch_eager", "torch_bfloat16")
OFF, LAST = 0.01, 10


def measured(name: str, options: argparse.Namespace) -> list[timing.Result]:
    """All contestants at one workload, in turns; then each trains for many steps."""
    running, results = [], []
    pinned = timing.cpus(None, options.threads)
    try:
        for contestant in options.contestants.split(","):
            result = timing.Result(name, contestant, options.threads)
            results.append(result)
            child = Child(contestant, name, options.threads, pinned, sys.executable, options.limit, False)
            if timing.start(result, child):
                running.append((result, child))
            else:
                child.end()
        for result, child in running:
            result.losses = child.ask({"losses": options.steps})["losses"]
        timing.time_blocks(running, options.rounds, options.seconds)
    finally:
        for _, child in running:
            child.end()
    return results


def last(result: timing.Result) -> float:
    """The loss at the end of the training."""
    return statistics.fmean(result.losses[-LAST:])


def show(name: str, results: list[timing.Result], options: argparse.Namespace) -> bool:
    """Print; whether all losses are near that of float32."""
    known = {result.contestant: result for result in results if result.losses}
    exact = known["chainrule_epoch"]
    table = Table("contestant", "best step", "float32 of ours / this", f"loss after {options.steps} steps", "off")
    near = True
    for contestant in CONTESTANTS:
        if contestant not in known:
            continue
        result = known[contestant]
        best = min(result.seconds, default=float("nan"))
        loss = last(result)
        off = loss / last(exact) - 1
        near = near and abs(off) <= OFF
        ratio = f"{min(exact.seconds, default=float('nan')) / best:.2f}"
        table.add_row(contestant, timing.duration(best), ratio, f"{loss:.5f}", f"{off:+.2%}")
    Console(width=120).print(f"{name}, {options.threads} thread(s)", table)
    return near


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", default=["gpt_mini"])
    parser.add_argument("--contestants", default=",".join(CONTESTANTS), help="of these, with commas")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5, help="0: only the losses")
    parser.add_argument("--seconds", type=float, default=0.5, help="about how long a block takes")
    parser.add_argument("--limit", type=float, default=900.0, help="seconds a contestant may take for one answer")
    options = parser.parse_args()
    near = [show(name, measured(name, options), options) for name in options.workloads]
    return int(not all(near))


if __name__ == "__main__":
    sys.exit(main())
