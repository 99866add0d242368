"""Memory of a training step: what the compiler forecasts before the first step, and what the process then takes.

    python benchmarks/memory.py gpt_mini resnet20

Each workload has a process of its own. It trains once, so that all code is loaded and all Python objects were made,
forgets the network, notes what it has resident, and trains another one: the rest is the memory of that. Linux only.
It holds some 1 MiB of Python objects and machine code too, which small networks need less than. So the arrays are
counted as well, as NumPy reports them to `tracemalloc`.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np

STEPS = 3


def resident(field: str) -> int:
    """Bytes that this process has resident now (VmRSS), or had at most since `forget_peak` (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024


def forget_peak() -> None:
    """Give what is free back to the system, and let the peak begin anew."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def arrays_alive() -> int:
    """Bytes of all arrays of NumPy that were made since `tracemalloc` began."""
    only = tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)
    return sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces([only]).traces)


def trained(workload: Any, arrays: Any) -> tuple[Any, int]:
    """The forecast of a new network's step, and the bytes of arrays that are alive when some steps have been made."""
    from contestants.chainrule_eager import make_optimizer

    import chainrule as cr

    model = workload.chainrule_model()
    optimizer = make_optimizer(workload, model)
    batch = [cr.tensor(each) for each in arrays]

    @cr.compile
    def step(*batch: Any) -> Any:
        loss = workload.chainrule_loss(model, *batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        model.zero_grad()
        return loss

    forecast = step.memory(*batch)
    for _ in range(STEPS):
        loss = step(*batch)
    return forecast, arrays_alive() if tracemalloc.is_tracing() and loss.size == 1 else 0


def measure(name: str) -> None:
    """Print the forecast and the measured figure of one workload."""
    import workloads

    workload = workloads.load(name)
    arrays = next(iter(workload.batched(workload.data())))
    trained(workload, arrays)
    forget_peak()
    before = resident("VmRSS")
    forecast, _ = trained(workload, arrays)
    measured = resident("VmHWM") - before
    tracemalloc.start()
    _, counted = trained(workload, arrays)
    print(f"{name}\n{forecast}")
    for what, found in (("resident", measured), ("arrays", counted)):
        print(f"{what:<12}{found / 2**20:>8.3f} MiB  {found / forecast.total:.3f} of the forecast")
    print()


def main() -> None:
    """One child a workload."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload", nargs="*", default=["gpt_mini", "resnet20"])
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    for name in arguments.workload:
        if arguments.here:
            measure(name)
        else:
            fixed = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}  # what is freed goes back at once
            subprocess.run([sys.executable, __file__, name, "--here"], check=True, env=fixed)


if __name__ == "__main__":
    main()
