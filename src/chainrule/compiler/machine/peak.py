"""The most multiply-adds that the processor does in a second, measured: a loop of nothing else, in registers."""

from __future__ import annotations

import time

import numpy as np

from ...ir.memory import address_of, aligned
from ...ir.types import ArrayType
from ..text.emit import Function, Module, Reg, const, vector_of
from .runtime import Code, processor
from .thread_code import barrier_ir
from .threads import pool

SUMS = 12
"""Independent sums: a multiply-add takes four or five cycles, and two begin in each."""
ROUNDS = 200_000
MOST_LANES = 16


def peak(threads: int = 1, seconds: float = 0.1) -> float:
    """Float32 operations a second of so many threads, the best of several runs; two for a multiply-add."""
    lanes = min(MOST_LANES, processor().lanes(4))
    code = Code(_text(lanes))
    memory = aligned(ArrayType((threads * 64 * MOST_LANES,), np.dtype(np.float32)))
    memory[:] = 0
    work, best, end = 2.0 * SUMS * lanes * ROUNDS * threads, 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end or not best:
        start = time.perf_counter()
        pool().run(code.address("multiply"), address_of(memory), threads)
        best = max(best, work / (time.perf_counter() - start))
    return best


def _text(lanes: int) -> str:
    module = Module(processor().has_fma)
    barrier_ir(module)
    context, thread, *_ = parameters = [
        Reg(kind, f"%{name}")
        for kind, name in zip(("ptr", "i64", "i64", "ptr"), ("context", "thread", "count", "block"))
    ]
    f = Function(module, "multiply", parameters, processor().attributes)
    vector = vector_of("float", lanes)
    mine = f.at(context, "float", f.times(thread, 64 * MOST_LANES))
    factor = f.load(vector, mine)  # read from memory, so that nobody knows what it is
    with f.loop(0, ROUNDS, 1, [const(vector, float(number)) for number in range(SUMS)]) as loop:
        loop.carry(*(f.fma(factor, factor, total) for total in loop.carried))
    for number, total in enumerate(loop.results):
        f.store(total, f.at(mine, "float", number * lanes))
    f.finish()
    return module.text()
