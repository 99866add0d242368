"""What becomes of a graph before LLVM sees it: rewrite, group, order, lower, plan buffers, write the step."""

from __future__ import annotations

from collections.abc import Callable

from ..ir.graph import Graph
from ..ir.types import NumpyArray
from ..passes import run_passes
from ..passes.open_all import opened
from ..records import dataclass
from .job import Job, Repeated
from .machine.memory import dense
from .machine.runtime import processor
from .machine.thread_code import barrier_ir
from .planning.buffers import bytes_kept, place_buffers
from .planning.chains import chained
from .planning.lowering import Lowering
from .planning.place import Buffer, Kind
from .planning.plan import PARALLEL_COST, Plan, plan_of
from .planning.program import Program
from .planning.unit import Unit
from .planning.work import is_worth_long_code
from .rewrites.known_sums import reuse_sums
from .rewrites.loop_views import views_after_loops
from .rewrites.loose import rewrite_loosely
from .rewrites.part_by_part import compute_parts
from .rewrites.recompute import open_checkpoints
from .rewrites.split import split_reductions
from .steps import tiny
from .steps.many import batch_of, write_alone, write_steps
from .steps.table import TableWriter
from .steps.writer import StepWriter
from .text.emit import Module
from .text.target import Target
from .units.schedule import dense_place, lower_graph


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


def lower(job: Job, watcher: Callable[[Module], None] | None = None) -> Lowered:
    """All stages up to the text for LLVM. watcher: is told of the module whenever a kernel has been written."""
    graph = opened(job.graph)
    graph = prepared(graph) if job.optimise else graph
    target = processor()
    planned = _Planned(_small_enough(_with_pairs(open_checkpoints(graph), target), job), job.in_place, watcher)
    program = planned.program()
    small = tiny.is_tiny(program.instructions)
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
    if job.repeated is not None:
        _write_steps(planned, program, job.repeated, small)
    has_result = job.repeated is not None and job.repeated.results > 0
    kept = bytes_kept(program.instructions, planned.outputs[0] if has_result else None)
    plan = plan_of(program, planned.inputs, planned.outputs, planned.lowering.errors, kept)
    constants = [dense(buffer.data) for buffer in program.constants if buffer.data is not None]
    return Lowered(graph, planned.units, program, program.module.text(), small, plan, constants)


def _small_enough(graph: Graph, job: Job) -> Graph:
    """The graph, with parts of it computed again where that keeps the limit on memory."""
    if job.memory_limit is None:
        return graph
    from .rewrites.memory_limit import within

    numbers = graph.inputs[len(graph.inputs) - (job.repeated.numbers if job.repeated else 0) :]
    uncounted = sum(value.type.nbytes for value in numbers)  # learning rates and the like: no forecast tells of them
    return within(graph, job.memory_limit, lambda tried: _Planned(tried, job.in_place).program().nbytes - uncounted)


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


def _with_pairs(graph: Graph, target: Target) -> Graph:
    """Products of bfloat16 in pairs, where the processor multiplies them so."""
    if not target.bfloat16:
        return graph
    from .rewrites.pairs import take_pairs

    return take_pairs(graph)


def prepared(graph: Graph) -> Graph:
    """The passes, and what else is rewritten before a graph becomes kernels."""
    return split_reductions(reuse_sums(compute_parts(views_after_loops(rewrite_loosely(run_passes(graph))))))


class _Planned:
    """The whole program: slots for what goes in and out, and the kernels between."""

    def __init__(self, graph: Graph, in_place: dict[int, int], watcher: Callable[[Module], None] | None = None) -> None:
        target = processor()
        self.graph, self.watcher, self.is_large = graph, watcher, False
        module = Module(target.has_fma, target.has_scaling, self._look, target.bfloat16, is_worth_long_code(graph))
        self.lowering = Lowering(graph, module, target)
        self.inputs = [Buffer(v.dtype, v.size, Kind.SLOT, f"in{n}") for n, v in enumerate(graph.inputs)]
        self.outputs = [
            self.inputs[in_place[n]] if n in in_place else Buffer(v.dtype, v.size, Kind.SLOT, f"out{n}")
            for n, v in enumerate(graph.outputs)
        ]
        given = [dense_place(buffer, value) for buffer, value in zip(self.inputs, graph.inputs)]
        wanted = [dense_place(buffer, value) for buffer, value in zip(self.outputs, graph.outputs)]
        self.units = lower_graph(self.lowering, given, wanted, in_place)

    def _look(self, module: Module) -> None:
        """A kernel has been written. Those of a tiny program become parts of one function."""
        if self.watcher is None:
            return
        self.is_large = self.is_large or not tiny.is_tiny(self.lowering.instructions)
        if self.is_large:
            self.watcher(module)

    def program(self) -> Program:
        """The program, its buffers placed."""
        lowering = self.lowering
        slots = list(dict.fromkeys([*self.inputs, *self.outputs, *([lowering.errors] if lowering.errors else [])]))
        done = lowering.instructions if tiny.is_tiny(lowering.instructions) else chained(lowering.instructions)
        program = Program(done, lowering.module, slots, lowering.constants)
        program.arena_bytes = place_buffers(program.instructions)
        return program
