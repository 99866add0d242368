"""A graph to one native program: its stages as a list. Group, order, lower, plan buffers, write the step, load it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..ir.graph import Graph
from ..passes import run_passes
from . import tiny
from .buffers import place_buffers
from .emit import Module
from .gather_parts import gather_parts
from .known_sums import reuse_sums
from .place import Buffer, Kind
from .program import Program
from .runtime import Code, host
from .schedule import dense_place, lower_graph
from .split import split_reductions
from .step_writer import StepWriter
from .steps import batch_of, write_alone, write_steps
from .threads import barrier_ir, pool
from .ungroup import ungroup
from .unit import Unit
from .units import Lowering


@dataclass
class Compiled:
    """A program ready to run. inputs, outputs: the slot (place in the table) of each of the graph's.

    An output that is updated in place has the slot of its input.
    """

    graph: Graph
    program: Program
    units: list[Unit]
    text: str
    code: Code
    inputs: list[Buffer]
    outputs: list[Buffer]
    errors: Buffer | None
    constants: list[np.ndarray[Any, Any]]

    @property
    def address(self) -> int:
        """Where the step function lies."""
        return self.code.address("step")


@dataclass(frozen=True)
class Repeated:
    """What `steps` has to know: how many inputs are batches, which are numbers, how many outputs are results."""

    arguments: int
    numbers: int
    results: int


def compile_graph(
    graph: Graph, in_place: Mapping[int, int] | None = None, optimise: bool = True, repeated: Repeated | None = None
) -> Compiled:
    """Compile `graph`. in_place: output number -> input number whose memory it takes over.

    repeated: also write the function that runs many steps; the arguments are the first inputs, numbers the last.
    """
    graph = prepared(graph) if optimise else graph
    plan = _Planned(graph, dict(in_place or {}))
    program = plan.program()
    target = host()
    small = tiny.is_tiny(program)
    if small:
        tiny.write_body(program, target.attributes)
    barrier_ir(program.module)
    if small:
        tiny.write_step(program, target.attributes)
    else:
        StepWriter(program, target.attributes).write()
    write_alone(program.module, target.attributes)
    if repeated is not None:
        _write_steps(plan, program, repeated, small)
    text = program.module.text()
    constants = [np.ascontiguousarray(buffer.data) for buffer in program.constants]
    code = Code(text, passes=small)
    return Compiled(graph, program, plan.units, text, code, plan.inputs, plan.outputs, plan.lowering.errors, constants)


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
        tiny.write_steps(program, host().attributes, found, results, numbers)
    else:
        write_steps(program.module, host().attributes, found, results, numbers)


def prepared(graph: Graph) -> Graph:
    """The passes, and what else is rewritten before a graph becomes kernels."""
    return split_reductions(reuse_sums(gather_parts(ungroup(run_passes(graph)))))


class _Planned:
    """The whole program: slots for what goes in and out, and the kernels between."""

    def __init__(self, graph: Graph, in_place: dict[int, int]) -> None:
        target = host()
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


def run_once(
    compiled: Compiled, arrays: Sequence[np.ndarray[Any, Any]], threads: int = 1
) -> list[np.ndarray[Any, Any]]:
    """Run on arrays and give new outputs: for tests. Inputs that are updated in place are copied first."""
    given = [np.array(array, order="C") for array in arrays]
    addresses: dict[int, np.ndarray[Any, Any]] = {id(b): a for b, a in zip(compiled.inputs, given)}
    results = []
    for value, buffer in zip(compiled.graph.outputs, compiled.outputs):
        if id(buffer) not in addresses:
            addresses[id(buffer)] = np.empty(value.shape, value.dtype)
        results.append(addresses[id(buffer)])
    if compiled.errors is not None:
        addresses[id(compiled.errors)] = np.zeros(8, np.int64)
    for buffer, array in zip(compiled.program.constants, compiled.constants):
        addresses[id(buffer)] = array
    arena = np.empty(compiled.program.arena_bytes + 64, np.uint8)
    start = -(-arena.ctypes.data // 64) * 64
    table = np.array([start, *(addresses[id(b)].ctypes.data for b in compiled.program.table)], np.uint64)
    pool().run(compiled.address, table.ctypes.data, threads)
    return results
