"""What `chainrule bench` measures of one network: its training step, as native code, on examples that are made up."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import random
from ..compiler.machine import cache
from ..compiler.planning.work import operations
from ..compiler.running.function import CompiledFunction
from ..ir.types import NumpyArray
from ..passes import run_passes
from ..train.compiled import native_step
from ..train.step import TrainingStep
from .losses import loss_for
from .networks import NetworkSpec, build
from .optimisers import make_optimizer
from .settings import Settings

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
    module, settings = build(workload.spec), workload.settings
    loss = loss_for(workload.spec.outputs > 1, settings)
    optimizer = make_optimizer(settings, module)
    at_once = -(-workload.batch // settings.accumulate)
    training = TrainingStep(module, loss, optimizer, settings.clip_norm or None, at_once, settings.precision)
    return native_step(training, False, threads, memory_limit=settings.memory_limit or None)


def _first_step(step: CompiledFunction, arrays: Any, batch: int) -> float:
    start = time.perf_counter()
    step.epoch(*(array[:batch] for array in arrays), batch_size=batch)
    return time.perf_counter() - start


def _examples(workload: Workload) -> tuple[NumpyArray, ...]:
    """Inputs, targets, and weights of the examples where the run weighs classes."""
    generator, rows = np.random.default_rng(0), BATCHES * workload.batch
    inputs = generator.standard_normal((rows, *workload.spec.inputs), np.float32)
    if workload.spec.outputs == 1:
        return inputs, generator.standard_normal((rows, 1), np.float32)
    labels = generator.integers(0, workload.spec.outputs, rows)
    return (inputs, labels, np.ones(rows, np.float32)) if workload.settings.class_weight else (inputs, labels)
