"""A graph to one native program, from the cache where it has been compiled before."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..ir.graph import Graph
from ..ir.memory import address_of, aligned
from ..ir.types import ArrayType, NumpyArray
from .job import Job, Repeated
from .machine import cache
from .machine.garbage import nothing_collected
from .machine.memory import dense
from .machine.pieces import Pieces
from .machine.runtime import Code, forks_wait
from .machine.threads import pool
from .planning.plan import MOST_CONSTANTS, Plan, packed, unpacked

if TYPE_CHECKING:
    from .planning.program import Program
    from .stages import Lowered
    from .text.module import Module


def lowered(job: Job, watcher: Callable[[Module], None] | None = None) -> Lowered:
    """All stages up to the text for LLVM; a process that finds its code in the cache never loads them.

    watcher: is told of the module whenever a kernel has been written.
    """
    with forks_wait:
        from .stages import lower

    return lower(job, watcher)


class Compiled:
    """A program ready to run: its plan, its constants and its code."""

    def __init__(self, job: Job, plan: Plan, constants: Sequence[NumpyArray], code: Code) -> None:
        self.job, self.plan, self.constants, self.code = job, plan, list(constants), code

    @property
    def address(self) -> int:
        """Where the step function lies."""
        return self.code.address("step")

    @cached_property
    def lowered(self) -> Lowered:
        """The graph, its kernels and their text, made again for who wants to see them."""
        return lowered(self.job)

    @property
    def program(self) -> Program:
        """The kernels in order."""
        return self.lowered.program


def compile_graph(
    graph: Graph,
    in_place: Mapping[int, int] | None = None,
    optimise: bool = True,
    repeated: Repeated | None = None,
    memory_limit: int | None = None,
) -> Compiled:
    """Compile `graph`, or load what was compiled from the same before. in_place: output number -> input number whose
    memory it takes over.

    repeated: also write the function that runs many steps; the arguments are the first inputs, numbers the last.
    memory_limit: see `Job`. Raises ConfigurationError where it can't be kept.
    """
    job = Job(graph, dict(in_place or {}), optimise, repeated, memory_limit)
    key = job.key()
    kept = None if key is None else _kept(key)
    if kept is not None:
        return Compiled(job, *kept)
    if key is None or _nbytes(graph) > MOST_CONSTANTS:
        made = lowered(job)
        return Compiled(job, made.plan, made.constants, Code(made.text, made.is_tiny))
    with nothing_collected(), Pieces() as pieces:
        made = lowered(job, pieces.look)
        objects = pieces.finish(made.program.module, made.is_tiny)
    cache.store(key, packed(made.plan, made.constants, objects))
    return Compiled(job, made.plan, made.constants, Code.loaded(objects))


def _nbytes(graph: Graph) -> int:
    """Bytes of the constants that a graph's equations read; what is only repeated counts once."""
    arrays = {id(v): v.data for equation in graph.equations for v in equation.inputs if v.data is not None}
    return sum(
        array.itemsize * math.prod(size for size, stride in zip(array.shape, array.strides) if stride)
        for array in arrays.values()
    )


def _kept(key: str) -> tuple[Plan, list[NumpyArray], Code] | None:
    raw = cache.load(key)
    if raw is None:
        return None
    plan, constants, objects = unpacked(raw)
    return plan, [dense(array) for array in constants], Code.loaded(objects)


def run_once(
    compiled: Compiled,
    arrays: Sequence[NumpyArray],
    threads: int = 1,
    memory: Callable[[ArrayType], NumpyArray] = aligned,
) -> list[NumpyArray]:
    """Run on arrays and give new outputs: for tests. Inputs that are updated in place are copied first.

    memory: makes the arrays that the program reads and writes.
    """
    plan, graph = compiled.plan, compiled.job.graph
    at: dict[int, NumpyArray] = {}
    for place, array in zip(plan.inputs, arrays):
        at[place] = memory(ArrayType(np.shape(array), np.asarray(array).dtype))
        at[place][...] = array
    for place, value in zip(plan.outputs, graph.outputs):
        if place not in at:
            at[place] = memory(value.type)
    if plan.errors is not None:
        at[plan.errors] = np.zeros(8, np.int64)
    at.update(zip(plan.constant_places(len(compiled.constants)), compiled.constants))
    at[0] = memory(ArrayType((plan.arena_bytes,), np.dtype(np.uint8)))
    table = np.array([address_of(at[place]) for place in range(plan.places)], np.uint64)
    pool().run(compiled.address, address_of(table), threads)
    return [at[place] for place in plan.outputs]
