"""The process of one contestant: builds one workload, then answers requests, one line of JSON each.

    python -m contestants.child CONTESTANT WORKLOAD --threads N --cpus 0,1

It says {"ready": ...} or {"missing": ...}. Asked {"calibrate": seconds} it finds a number of steps that takes about so
long; asked {"run": steps} it makes them from the first weights and says how long they took, asked {"losses": steps}
it trains on as many batches and gives their losses; asked {"end": ...} it says how much memory it had at most.
"""

from __future__ import annotations

import argparse
import copy
import gc
import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .runner import Runner

Message = dict[str, Any]
FRAMEWORKS = {"torch": "torch", "jax": "jax", "tf": "tensorflow", "chainrule": "chainrule"}


def peak_memory() -> float:
    """The most memory this process had resident, in MB.

    Read from /proc where there is one: ru_maxrss also holds what the parent had before it started this program.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(lines[0].split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)


def started(arguments: argparse.Namespace, say: Callable[[Message], None]) -> Runner | None:
    """The contestant after its first, cold step; None when it can't run here."""
    import workloads

    import contestants

    begin = time.perf_counter()
    module, workload = contestants.load(arguments.contestant), workloads.load(arguments.workload)
    absent = module.missing()
    if absent:
        say({"missing": absent})
        return None
    importlib.import_module(FRAMEWORKS[arguments.contestant.split("_")[0]])
    imported, memory = time.perf_counter() - begin, peak_memory()
    runner: Runner = module.prepare(workload, arguments.threads)
    begin = time.perf_counter()
    runner.begin()
    cold = time.perf_counter() - begin
    if hasattr(module, "tune"):
        del runner
        runner = module.tune(workload)
    runner.reset()
    count = len(workload.expected) or 5
    losses = runner.advance(runner.rounded(count), count)
    say({"ready": runner.note, "import": imported, "cold": cold, "losses": losses, "memory_imported": memory})
    return runner


def timed(runner: Runner, steps: int) -> float:
    """Seconds of so many steps from the first weights."""
    runner.reset()
    gc.collect()
    begin = time.perf_counter()
    runner.advance(steps)
    return time.perf_counter() - begin


def calibrated(runner: Runner, seconds: float) -> int:
    """A number of steps that takes about so long."""
    steps = runner.rounded(1)
    while True:
        taken = timed(runner, steps)
        if taken >= seconds / 3:
            return runner.rounded(int(steps * seconds / taken))
        steps = runner.rounded(int(steps * min(20.0, max(2.0, 0.7 * seconds / taken))))


def trained(arguments: argparse.Namespace, steps: int) -> list[float]:
    """The losses of so many steps, each on a batch of its own."""
    import workloads

    import contestants

    workload = copy.copy(workloads.load(arguments.workload))
    workload.batches = steps
    runner: Runner = contestants.load(arguments.contestant).prepare(workload, arguments.threads)
    return runner.advance(runner.rounded(steps), steps)


def answer(runner: Runner, request: Message) -> Message:
    """What is said to one request."""
    if "calibrate" in request:
        return {"steps": calibrated(runner, request["calibrate"])}
    if "run" in request:
        return {"seconds": timed(runner, request["run"])}
    return {"memory": peak_memory()}


def main() -> None:
    """Answer until the requests end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("contestant")
    parser.add_argument("workload")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cpus", default="")
    arguments = parser.parse_args()
    if arguments.cpus and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(each) for each in arguments.cpus.split(",")})
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not come between the answers

    def say(message: Message) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    try:
        runner = started(arguments, say)
    except Exception as error:
        say({"failed": f"{type(error).__name__}: {error}"[:400]})
        raise
    for line in sys.stdin if runner else ():
        try:
            request = json.loads(line)
            found = {"losses": trained(arguments, request["losses"])} if "losses" in request else None
            say(found or answer(runner, request))
        except Exception as error:
            say({"failed": f"{type(error).__name__}: {error}"[:400]})
            raise


if __name__ == "__main__":
    main()
