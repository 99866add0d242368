"""A graph to one native program: its stages as a list. Group, order, lower, plan buffers, write the step, load it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..ir.graph import Equation, Graph, Value
from ..passes import run_passes
from .buffers import place_buffers
from .emit import Module
from .group import Grouping, Unit, root_of
from .place import Buffer, Kind, Place, dense
from .program import Program, StepWriter
from .runtime import Code, host
from .steps import batch_of, write_steps
from .threads import barrier_ir, pool
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
    graph = run_passes(graph) if optimise else graph
    plan = _Planned(graph, dict(in_place or {}))
    program = plan.program()
    target = host()
    barrier_ir(program.module)
    StepWriter(program, target.attributes).write()
    if repeated is not None:
        _write_steps(plan, program, repeated)
    text = program.module.text()
    constants = [np.ascontiguousarray(buffer.data) for buffer in program.constants]
    return Compiled(
        graph, program, plan.units, text, Code(text), plan.inputs, plan.outputs, plan.lowering.errors, constants
    )


def _write_steps(plan: _Planned, program: Program, repeated: Repeated) -> None:
    place = {id(buffer): number + 1 for number, buffer in enumerate(program.table)}
    graph = plan.graph
    batches = [batch_of(place[id(b)], v.type) for b, v in zip(plan.inputs, graph.inputs[: repeated.arguments])]
    if any(batch is None for batch in batches):
        return
    outs = list(zip(plan.outputs, graph.outputs))[: repeated.results]
    results = [(place[id(buffer)], value.type.nbytes) for buffer, value in outs]
    numbers = [place[id(buffer)] for buffer in plan.inputs[len(graph.inputs) - repeated.numbers :]]
    found = [batch for batch in batches if batch is not None]
    write_steps(program.module, host().attributes, found, results, numbers)


class _Planned:
    """From a graph to a program: who shares a kernel, in which order, where things lie."""

    def __init__(self, graph: Graph, in_place: dict[int, int]) -> None:
        target = host()
        self.graph, self.in_place = graph, in_place
        self.lowering = Lowering(graph, Module(target.has_fma), target)
        self.inputs = [Buffer(v.dtype, v.size, Kind.SLOT, f"in{n}") for n, v in enumerate(graph.inputs)]
        for value, buffer in zip(graph.inputs, self.inputs):
            self.lowering.places[id(value)] = Place(buffer, value.dtype, value.shape, dense(value.shape))
        self.outputs = [
            self.inputs[in_place[n]] if n in in_place else Buffer(v.dtype, v.size, Kind.SLOT, f"out{n}")
            for n, v in enumerate(graph.outputs)
        ]
        grouping = Grouping(graph)
        self._wish(grouping)
        self.units = grouping.ordered()
        for unit in self.units:
            self.lowering.lower(unit)
        self._finish()

    def program(self) -> Program:
        """The program, its buffers placed."""
        lowering = self.lowering
        slots = list(dict.fromkeys([*self.inputs, *self.outputs, *([lowering.errors] if lowering.errors else [])]))
        program = Program(lowering.instructions, lowering.module, slots, lowering.constants)
        program.arena_bytes = place_buffers(lowering.instructions)
        return program

    # -- outputs

    def _wish(self, grouping: Grouping) -> None:
        """Outputs are computed where they are wanted, if nobody still needs what lies there."""
        self._note_readers(grouping)
        taken: set[int] = set()
        for number, value in enumerate(self.graph.outputs):
            equation = value.equation
            if equation is None or value.data is not None or id(equation) not in grouping.unit_of or id(value) in taken:
                continue
            if number in self.in_place and not self._may_overwrite(grouping, number, value):
                continue
            buffer = self.outputs[number]
            taken.add(id(value))
            self.lowering.wishes[id(value)] = Place(buffer, value.dtype, value.shape, dense(value.shape))

    def _may_overwrite(self, grouping: Grouping, number: int, value: Value) -> bool:
        old = self.graph.inputs[self.in_place[number]]
        assert value.equation is not None
        writer = grouping.unit_of[id(value.equation)]
        readers: set[int] = set()
        for equation, seen_as_it_is in self.readers.get(id(old), ()):
            unit = grouping.unit_of[id(equation)]
            if unit == writer and not (seen_as_it_is and _meets_in_place(grouping.units[unit], old, value)):
                return False
            readers.add(unit)
        if id(old) in self.returned:
            return False
        return grouping.wait_for(writer, readers)

    def _note_readers(self, grouping: Grouping) -> None:
        """Who reads each input, and whether as it is or through views; which are returned."""
        self.readers: dict[int, list[tuple[Equation, bool]]] = {}
        for equation in self.graph.equations:
            if id(equation) in grouping.unit_of:
                for operand in equation.inputs:
                    root, chain = root_of(operand)
                    if root.equation is None:
                        self.readers.setdefault(id(root), []).append((equation, not chain))
        self.returned = {id(root_of(output)[0]) for output in self.graph.outputs}

    def _finish(self) -> None:
        """Copy what lies elsewhere to where the caller expects it; first aside what would be overwritten."""
        lowering = self.lowering
        moves: list[tuple[Place, Place]] = []
        written = {id(self.outputs[number]) for number in range(len(self.outputs))}
        for value, buffer in zip(self.graph.outputs, self.outputs):
            source = lowering.place_of(value)
            target = Place(buffer, value.dtype, value.shape, dense(value.shape))
            if source.buffer is buffer and source.offset == 0 and source.is_row_major:
                continue
            moves.append((source, target))
        staged = [(lowering.copied(s, None) if id(s.buffer) in written else s, t) for s, t in moves]
        for source, target in staged:
            lowering.copy(source, target)


def _meets_in_place(unit: Unit, old: Value, new: Value) -> bool:
    """Whether a nest that reads `old` and writes `new` over it reads each element before it writes it."""
    if not unit.is_nest or old.shape != new.shape:
        return False
    if id(new.equation) in unit.rows:
        return True
    return unit.axes is None and old.shape == unit.domain


def run_once(compiled: Compiled, arrays: Sequence[np.ndarray[Any, Any]], threads: int = 1) -> list[np.ndarray[Any, Any]]:
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
