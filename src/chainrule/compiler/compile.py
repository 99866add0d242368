"""A graph to one native program: its stages as a list. Group, order, lower, plan buffers, write the step, load it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..ir.graph import Graph
from ..ir.types import ArrayType, NumpyArray
from ..passes import run_passes
from . import cache, tiny
from .buffers import bytes_kept, place_buffers
from .emit import Module
from .gather_parts import gather_parts
from .known_sums import reuse_sums
from .loop_views import views_after_loops
from .memory import address_of, aligned
from .place import Buffer, Kind
from .plan import MOST_CONSTANTS, Plan, packed, plan_of, unpacked
from .program import PARALLEL_COST, Program
from .recompute import open_checkpoints
from .runtime import Code, compiled_text, machine, processor
from .schedule import dense_place, lower_graph
from .signature import fingerprint, signature_of
from .split import split_reductions
from .step_table import TableWriter
from .step_writer import StepWriter
from .steps import batch_of, write_alone, write_steps
from .threads import barrier_ir, pool
from .unit import Unit
from .units import Lowering


@dataclass(frozen=True)
class Repeated:
    """What `steps` has to know: how many inputs are batches, which are numbers, how many outputs are results."""

    arguments: int
    numbers: int
    results: int


@dataclass(frozen=True)
class Lowered:
    """A graph as kernels: what people look at, and what code is made from. It is forgotten once there is code."""

    graph: Graph
    units: list[Unit]
    program: Program
    text: str
    is_tiny: bool
    plan: Plan
    constants: list[NumpyArray]


@dataclass(frozen=True)
class Job:
    """What is to be compiled. in_place: output number -> input number whose memory it takes over."""

    graph: Graph
    in_place: dict[int, int]
    optimise: bool
    repeated: Repeated | None

    def lower(self) -> Lowered:
        """All stages up to the text for LLVM."""
        graph = prepared(self.graph) if self.optimise else self.graph
        planned = _Planned(open_checkpoints(graph), self.in_place)
        program = planned.program()
        target = processor()
        small = tiny.is_tiny(program)
        if small:
            tiny.write_body(program, target.attributes)
        barrier_ir(program.module)
        if small:
            tiny.write_step(program, target.attributes)
        elif program.cost < PARALLEL_COST:
            StepWriter(program, target.attributes).write()
        else:
            TableWriter(program, target.attributes).write()
        write_alone(program.module, target.attributes)
        if self.repeated is not None:
            _write_steps(planned, program, self.repeated, small)
        has_result = self.repeated is not None and self.repeated.results > 0
        kept = bytes_kept(program.instructions, planned.outputs[0] if has_result else None)
        plan = plan_of(program, planned.inputs, planned.outputs, planned.lowering.errors, kept)
        constants = [dense(buffer.data) for buffer in program.constants if buffer.data is not None]
        return Lowered(graph, planned.units, program, program.module.text(), small, plan, constants)

    def key(self) -> str | None:
        """The name under which its code is kept on disk; None where it can't be told from the graph alone."""
        signature = signature_of(self.graph)
        if signature is None:
            return None
        options = f"{sorted(self.in_place.items())} {self.optimise} {self.repeated}"
        return cache.key_of(signature, options, fingerprint(), np.__version__, *machine())


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
        return self.job.lower()

    @property
    def program(self) -> Program:
        """The kernels in order."""
        return self.lowered.program


def compile_graph(
    graph: Graph, in_place: Mapping[int, int] | None = None, optimise: bool = True, repeated: Repeated | None = None
) -> Compiled:
    """Compile `graph`, or load what was compiled from the same before. in_place: output number -> input number whose
    memory it takes over.

    repeated: also write the function that runs many steps; the arguments are the first inputs, numbers the last.
    """
    job = Job(graph, dict(in_place or {}), optimise, repeated)
    key = job.key()
    kept = None if key is None else _kept(key)
    if kept is not None:
        return Compiled(job, *kept)
    lowered = job.lower()
    if key is None or sum(array.nbytes for array in lowered.constants) > MOST_CONSTANTS:
        return Compiled(job, lowered.plan, lowered.constants, Code(lowered.text, lowered.is_tiny))
    code = compiled_text(lowered.text, lowered.is_tiny)
    cache.store(key, packed(lowered.plan, lowered.constants, code))
    return Compiled(job, lowered.plan, lowered.constants, Code.loaded(code))


def _kept(key: str) -> tuple[Plan, list[NumpyArray], Code] | None:
    raw = cache.load(key)
    if raw is None:
        return None
    plan, constants, code = unpacked(raw)
    return plan, [dense(array) for array in constants], Code.loaded(code)


def dense(array: NumpyArray) -> NumpyArray:
    """The same elements without gaps, at an aligned address."""
    copy = aligned(ArrayType(array.shape, array.dtype))
    copy[...] = array
    return copy


def _write_steps(plan: _Planned, program: Program, repeated: Repeated, small: bool) -> None:
    place = {id(buffer): number + 1 for number, buffer in enumerate(program.table)}
    graph = plan.graph
    batches = [batch_of(place[id(b)], v.type) for b, v in zip(plan.inputs, graph.inputs[: repeated.arguments])]
    if any(batch is None for batch in batches):
        return
    outs = list(zip(plan.outputs, graph.outputs))[: repeated.results]
    results = [(place[id(buffer)], value.type.nbytes) for buffer, value in outs]
    numbers = [place[id(buffer)] for buffer in plan.inputs[len(graph.inputs) - repeated.numbers :]]
    found = [batch for batch in batches if batch is not None]
    if small:
        tiny.write_steps(program, processor().attributes, found, results, numbers)
    else:
        write_steps(program.module, processor().attributes, found, results, numbers)


def prepared(graph: Graph) -> Graph:
    """The passes, and what else is rewritten before a graph becomes kernels."""
    return split_reductions(reuse_sums(views_after_loops(gather_parts(run_passes(graph)))))


class _Planned:
    """The whole program: slots for what goes in and out, and the kernels between."""

    def __init__(self, graph: Graph, in_place: dict[int, int]) -> None:
        target = processor()
        self.graph = graph
        self.lowering = Lowering(graph, Module(target.has_fma), target)
        self.inputs = [Buffer(v.dtype, v.size, Kind.SLOT, f"in{n}") for n, v in enumerate(graph.inputs)]
        self.outputs = [
            self.inputs[in_place[n]] if n in in_place else Buffer(v.dtype, v.size, Kind.SLOT, f"out{n}")
            for n, v in enumerate(graph.outputs)
        ]
        given = [dense_place(buffer, value) for buffer, value in zip(self.inputs, graph.inputs)]
        wanted = [dense_place(buffer, value) for buffer, value in zip(self.outputs, graph.outputs)]
        self.units = lower_graph(self.lowering, given, wanted, in_place)

    def program(self) -> Program:
        """The program, its buffers placed."""
        lowering = self.lowering
        slots = list(dict.fromkeys([*self.inputs, *self.outputs, *([lowering.errors] if lowering.errors else [])]))
        program = Program(lowering.instructions, lowering.module, slots, lowering.constants)
        program.arena_bytes = place_buffers(lowering.instructions)
        return program


def run_once(compiled: Compiled, arrays: Sequence[NumpyArray], threads: int = 1) -> list[NumpyArray]:
    """Run on arrays and give new outputs: for tests. Inputs that are updated in place are copied first."""
    plan, graph = compiled.plan, compiled.job.graph
    at: dict[int, NumpyArray] = {place: np.array(array, order="C") for place, array in zip(plan.inputs, arrays)}
    for place, value in zip(plan.outputs, graph.outputs):
        if place not in at:
            at[place] = np.empty(value.shape, value.dtype)
    if plan.errors is not None:
        at[plan.errors] = np.zeros(8, np.int64)
    at.update(zip(plan.constant_places(len(compiled.constants)), compiled.constants))
    at[0] = aligned(ArrayType((plan.arena_bytes,), np.dtype(np.uint8)))
    table = np.array([address_of(at[place]) for place in range(plan.places)], np.uint64)
    pool().run(compiled.address, address_of(table), threads)
    return [at[place] for place in plan.outputs]
