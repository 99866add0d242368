"""What `chainrule bench` measures of one network: its training step, as native code, on examples that are made up."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import random
from ..compiler import cache
from ..compiler.function import CompiledFunction
from ..compiler.work import operations
from ..passes import run_passes
from ..train.compiled import step_function
from ..train.step import TrainingStep
from .networks import NetworkSpec, build
from .optimisers import make_optimizer
from .settings import Settings
from .training import loss_for

BATCHES = 8


@dataclass(frozen=True)
class Measured:
    """seconds: of a step, the best of several rounds; work: its floating-point operations; memory: bytes, forecast.

    cold, cached: seconds from the call to the end of the first step, compiled and with the code found on disk.
    """

    examples: int
    threads: int
    seconds: float
    work: float
    memory: int
    cold: float
    cached: float


@dataclass(frozen=True)
class Workload:
    """A network and how it is trained."""

    name: str
    spec: NetworkSpec
    settings: Settings
    batch: int


def measure(workload: Workload, threads: int, seconds: float) -> Measured:
    """Compile, run for about so many seconds."""
    arrays = _examples(workload)
    with cache.nothing_kept():
        cold = _first_step(_step(workload, threads), arrays, workload.batch)
    _first_step(_step(workload, threads), arrays, workload.batch)  # the code is on disk now, if it may be
    step = _step(workload, threads)
    cached = _first_step(step, arrays, workload.batch)
    best, end = np.inf, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        step.epoch(*arrays, batch_size=workload.batch)
        best = min(best, (time.perf_counter() - start) / BATCHES)
    entry = step.program_for_rows(arrays, workload.batch)
    work = operations(run_passes(entry.captured.graph))
    return Measured(workload.batch, entry.threads, best, work, entry.memory().total, cold, cached)


def _step(workload: Workload, threads: int) -> CompiledFunction:
    random.manual_seed(0)
    module = build(workload.spec)
    loss = loss_for(workload.spec.outputs > 1, workload.settings)
    optimizer = make_optimizer(workload.settings, module)
    at_once = -(-workload.batch // workload.settings.accumulate)
    training = TrainingStep(module, loss, optimizer, rows=at_once, precision=workload.settings.precision)
    return CompiledFunction(step_function(training, False), threads)


def _first_step(step: CompiledFunction, arrays: Any, batch: int) -> float:
    start = time.perf_counter()
    step.epoch(*(array[:batch] for array in arrays), batch_size=batch)
    return time.perf_counter() - start


def _examples(workload: Workload) -> tuple[Any, Any]:
    generator, rows = np.random.default_rng(0), BATCHES * workload.batch
    inputs = generator.standard_normal((rows, *workload.spec.inputs), np.float32)
    if workload.spec.outputs == 1:
        return inputs, generator.standard_normal((rows, 1), np.float32)
    return inputs, generator.integers(0, workload.spec.outputs, rows)
