"""Training steps, timed against other frameworks: identical work, losses checked, contestants taking turns.

    python benchmarks/steps.py mlp_b64 lenet5 --threads 1 --rounds 7 --peers torch_eager,jax_scan

Each contestant is a process of its own, pinned to as many processors as threads. A round is a block of steps of each;
every block starts from the same first weights. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import contestants
import workloads
from contestants.process import Child, ContestantError
from rich.console import Console
from rich.table import Table

PEAK = 116.5  # GFLOP/s of float32 multiply-adds, one Zen 4 core at 3.65 GHz
TOLERANCE = 1e-4
CONSOLE = Console(width=None if sys.stdout.isatty() else 150)


@dataclass
class Result:
    """What is known of one contestant at one workload. Seconds are per step, one number a round."""

    workload: str
    contestant: str
    threads: int
    seconds: list[float] = field(default_factory=list)
    steps: int = 0
    note: str = ""
    problem: str = ""
    losses: list[float] = field(default_factory=list)
    error: float = 0.0
    import_seconds: float = 0.0
    cold_seconds: float = 0.0
    memory: float = 0.0
    memory_imported: float = 0.0

    @property
    def ours(self) -> bool:
        """Whether it is Chainrule's."""
        return self.contestant.startswith("chainrule")

    @property
    def valid(self) -> bool:
        """Whether it made the right losses and was timed."""
        return bool(self.seconds) and self.error <= TOLERANCE


def start(result: Result, child: Child) -> bool:
    """Wait for its first steps and check their losses; whether it can be timed."""
    try:
        answer = child.ask()
    except ContestantError as error:
        result.problem = str(error)
        return False
    if "missing" in answer:
        result.problem = f"skipped: {answer['missing']}"
        return False
    result.note, result.losses = answer["ready"], answer["losses"]
    result.import_seconds, result.cold_seconds = answer["import"], answer["cold"]
    result.memory_imported = answer["memory_imported"]
    result.error = difference(result.losses, workloads.load(result.workload).expected)
    if not result.error <= TOLERANCE:
        result.problem = f"losses differ by {result.error:.1e}: {result.losses}"
    return True


def difference(losses: list[float], expected: tuple[float, ...]) -> float:
    """The largest relative difference; infinity where there are too few, or NaN."""
    if len(losses) < len(expected) or not expected:
        return float("inf")
    found = max(abs(loss / wanted - 1) for loss, wanted in zip(losses, expected))
    return found if found == found else float("inf")


def measure(name: str, options: argparse.Namespace) -> list[Result]:
    """One workload, all contestants, interleaved."""
    running: list[tuple[Result, Child]] = []
    results = []
    try:
        for contestant in options.contestants:
            result = Result(name, contestant, options.threads)
            results.append(result)
            CONSOLE.print(f"[dim]{name}: starting {contestant}[/]")
            python = options.python.get(contestant, sys.executable)
            limits = (options.limit, options.verbose, options.caches)
            child = Child(contestant, name, options.threads, options.cpus, python, *limits)
            running.append((result, child))
            if not start(result, child):
                running.pop()
                child.end()
        time_blocks(running, options.rounds, options.seconds)
    finally:
        for _, child in running:
            child.end()
    return results


def time_blocks(running: list[tuple[Result, Child]], rounds: int, seconds: float) -> None:
    """Warm up, then a block of each contestant in each round. One that fails drops out."""
    for result, child in running if rounds else ():
        attempt(result, lambda child=child, result=result: setattr(result, "steps", _calibrated(child, seconds)))
    for _ in range(rounds):
        for result, child in running:
            if result.steps:
                attempt(result, lambda child=child, result=result: result.seconds.append(_block(child, result.steps)))
    for result, child in running:
        attempt(result, lambda child=child, result=result: setattr(result, "memory", child.ask({"end": 1})["memory"]))


def _calibrated(child: Child, seconds: float) -> int:
    return int(child.ask({"calibrate": seconds})["steps"])


def _block(child: Child, steps: int) -> float:
    return float(child.ask({"run": steps})["seconds"]) / steps


def attempt(result: Result, action: Any) -> None:
    """Do it; where the contestant fails, note why and time it no more."""
    try:
        action()
    except ContestantError as error:
        result.problem, result.steps, result.seconds = str(error), 0, []


# -- what is shown


def duration(seconds: float) -> str:
    """With the unit that fits."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def show(results: list[Result], peak: float) -> None:
    """One table a workload, the fastest first."""
    workload = workloads.load(results[0].workload)
    title = (
        f"{workload.name}: {workload.flops:,} FLOP a step, batch {workload.batch_size}, {results[0].threads} thread(s)"
    )
    table = Table("contestant", title=title, title_justify="left")
    for heading in ("best", "median", "of peak", "peer/this", "losses", "first step", "import", "memory"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("note", overflow="fold")
    peers = [min(result.seconds) for result in results if result.valid and not result.ours]
    for result in sorted(results, key=lambda each: min(each.seconds, default=float("inf"))):
        table.add_row(*row(result, workload.flops, peak, min(peers, default=None)))
    CONSOLE.print(table)


def row(result: Result, flops: int, peak: float, fastest_peer: float | None) -> list[str]:
    """The cells of one contestant."""
    if not result.losses:
        return [result.contestant, *["-"] * 8, result.problem]
    cells = ["-"] * 4
    if result.seconds:
        best = min(result.seconds)
        ratio = f"{fastest_peer / best:.2f}" if fastest_peer else "-"
        cells = [duration(best), duration(statistics.median(result.seconds)), f"{flops / best / peak / 1e9:.1%}", ratio]
    checked = f"{result.error:.0e}" if result.error <= TOLERANCE else f"[red]{result.error:.0e}[/]"
    cost = [f"{result.cold_seconds:.2f} s", f"{result.import_seconds:.2f} s", f"{result.memory:.0f} MB"]
    return [result.contestant, *cells, checked, *cost, result.problem or result.note]


def expected_losses(name: str, count: int = 5) -> list[float]:
    """The first losses by PyTorch in float64: what a workload's `expected` holds."""
    import torch
    from contestants.torch_eager import TorchRunner

    return TorchRunner(workloads.load(name), {}, dtype=torch.float64).advance(count, count)


def parsed() -> argparse.Namespace:
    """The command line, with everything filled in."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", help=f"of {', '.join(workloads.NAMES)}; none: all")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7, help="0: only check the losses")
    parser.add_argument("--seconds", type=float, default=0.3, help="about how long a block takes")
    parser.add_argument("--peers", help="names with commas, or none; without it all of float32 that are installed")
    parser.add_argument("--ours", default="chainrule_eager,chainrule_compiled,chainrule_epoch")
    parser.add_argument("--cpus", help="processors to pin to, 0,1 (the first ones that are allowed)")
    parser.add_argument(
        "--python", action="append", default=[], metavar="NAME=PATH", help="interpreter of a contestant"
    )
    parser.add_argument("--peak", type=float, default=PEAK, help="GFLOP/s of multiply-adds a core")
    parser.add_argument("--measure-peak", action="store_true", help="measure that first")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds a contestant may take for one answer")
    parser.add_argument("--caches", type=Path, help="keep what is compiled here: the next first steps are warm")
    parser.add_argument("--json", type=Path, help="write everything here too")
    parser.add_argument("--verbose", action="store_true", help="show what the contestants print")
    parser.add_argument("--expected", action="store_true", help="print the first losses in float64 and end")
    options = parser.parse_args()
    peers = [name for name in contestants.NAMES if not name.startswith("chainrule") and "bfloat16" not in name]
    if options.peers is not None:
        peers = [] if options.peers == "none" else options.peers.split(",")
    options.contestants = [*peers, *filter(None, options.ours.split(","))]
    options.workloads = options.workloads or list(workloads.NAMES)
    for name, known in [(w, workloads.NAMES) for w in options.workloads] + [
        (c, contestants.NAMES) for c in options.contestants
    ]:
        if name not in known:
            parser.error(f"there is no {name!r}; known are {', '.join(known)}")
    options.cpus = cpus(options.cpus, options.threads)
    options.python = dict(each.split("=", 1) for each in options.python)
    return options


def cpus(given: str | None, threads: int) -> list[int]:
    """The processors to pin to; none where the system can't pin."""
    if given:
        return [int(each) for each in given.split(",")]
    return sorted(os.sched_getaffinity(0))[:threads] if hasattr(os, "sched_getaffinity") else []


def main() -> int:
    """Measure and print; 1 where losses were wrong or a contestant failed."""
    options = parsed()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the children end too
    if options.expected:
        for name in options.workloads:
            print(f"{name}: expected = ({', '.join(f'{loss:.7g}' for loss in expected_losses(name))})")
        return 0
    if options.measure_peak:
        from contestants.peak import measured_peak

        options.peak = measured_peak(options.cpus[:1])
        CONSOLE.print(f"multiply-adds: {options.peak:.1f} GFLOP/s a core")
    found: list[Result] = []
    for name in options.workloads:
        results = measure(name, options)
        found += results
        show(results, options.peak * options.threads)
        if options.json:
            options.json.write_text(json.dumps([asdict(result) for result in found], indent=1))
    return int(any(result.problem and not result.problem.startswith("skipped") for result in found))


if __name__ == "__main__":
    sys.exit(main())
