"""Do the bits of a training depend on the number of threads? A hash of all weights after many steps says.

    python benchmarks/bits.py xor mlp_tiny --steps 1000

Every number of threads trains in a process of its own, from the same first weights, all steps in one native call
(`step.epoch`). Small programs choose one thread by themselves, whatever they are offered: the table says how many ran.
The exit status is 1 if any hash differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from typing import Any

import numpy as np
from contestants import chainrule_epoch
from workloads import NAMES, load

THREADS = (1, 2, 3, 4, 8)


def trained(name: str, threads: int, steps: int) -> dict[str, Any]:
    """Train here; the hash of the weights, the number of threads that ran, the last loss."""
    workload = load(name)
    runner: Any = chainrule_epoch.prepare(workload, threads)
    runner.reset()
    rows = np.arange(workload.batches * workload.batch_size)
    order = np.resize(rows, steps * workload.batch_size)
    losses = runner.epoch(*runner.data, batch_size=workload.batch_size, order=order)
    ran = runner.compiled.program_for_rows(runner.data, workload.batch_size).threads
    return {"hash": hash_of(runner.model.state_dict()), "ran": ran, "loss": float(losses.numpy()[-1])}


def hash_of(state: dict[str, Any]) -> str:
    """SHA-256 of names and elements."""
    found = hashlib.sha256()
    for name in sorted(state):
        found.update(name.encode())
        found.update(np.ascontiguousarray(state[name]).tobytes())
    return found.hexdigest()


def in_a_process(name: str, threads: int, steps: int) -> dict[str, Any]:
    """`trained` in a process of its own."""
    command = [sys.executable, __file__, name, "--steps", str(steps), "--worker", str(threads)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def compare(name: str, threads: list[int], steps: int) -> bool:
    """Print a line for each number of threads; whether all hashes are the same."""
    hashes = set()
    for count in threads:
        found = in_a_process(name, count, steps)
        hashes.add(found["hash"])
        line = f"{name:10} {steps:6} steps  {count} threads, {found['ran']} ran"
        print(f"{line}  {found['hash'][:16]}  loss {found['loss']:.9g}", flush=True)
    print(f"{name:10} {'the same bits' if len(hashes) == 1 else 'DIFFERENT BITS'}", flush=True)
    return len(hashes) == 1


def main() -> int:
    """Compare the workloads asked for; 0 if no hash differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", default=list(NAMES), help="all of them by default")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--threads", type=int, nargs="+", default=list(THREADS))
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(trained(options.workloads[0], options.worker, options.steps)))
        return 0
    same = [compare(name, options.threads, options.steps) for name in options.workloads]
    return 0 if all(same) else 1


if __name__ == "__main__":
    sys.exit(main())
