"""The step of a large program as a table of calls that one loop goes through: far less code to generate than a call
written for each kernel, and the loop's own time is nothing beside that of large kernels.

A record is, in words: the kernel (none: all threads meet), which share of tasks, how many pointers, the words of the
record; then for each pointer its place in the program's table of addresses and how many bytes behind. What lies in
loops and branches is written as code, as for small programs: it may be done often.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..planning.place import Kind
from ..planning.program import Block, Call, Pointer, Program
from ..text.emit import Function, Module, Reg, word
from .writer import StepWriter

HEAD = 4
RECORDS, TASKS = "@calls", "@tasks"


class TableWriter(StepWriter):
    """Writes the step with its table."""

    def __init__(self, program: Program, attributes: str) -> None:
        super().__init__(program, attributes)
        self.attributes = attributes
        self.words: list[str] = []
        self.shares = {0: 0}  # tasks -> number of their share; of tasks that one thread does, their negative
        self.arities: set[int] = set()
        self.pending_records = self.first_word = 0
        self.inside = False

    def write(self) -> None:
        """The whole function, its table, and what goes through it."""
        self._begin()
        self._write_all(self.program.instructions)
        self._barrier()
        self._run_records()
        self.f.finish()
        module = self.program.module
        module.words(RECORDS, self.words)
        module.words(TASKS, list(map(str, self.shares)))
        _write_share(module, self.attributes)
        _write_perform(module, self.attributes, sorted(self.arities))

    def _begin(self) -> None:
        blocks = [each for each in self.program.instructions if isinstance(each, Block)]
        self.first = self.f.compare("icmp eq", self.parameters[1], word(0))
        self._share_tasks(blocks)
        for each in self.program.instructions:
            if isinstance(each, Call):
                self.shares.setdefault(_key(each), len(self.shares))
        self.kept = self.f.emit("ptr", f"alloca [{2 * len(self.shares)} x i64]")
        self.f.call("share", Reg("ptr", TASKS), word(len(self.shares)), self.kept, *self.parameters[1:3])

    # -- records

    def _call(self, call: Call) -> None:
        if self.inside or call.is_serial:
            super()._call(call)
            return
        self._write_alone()
        self._record(call)

    def _write_alone(self) -> None:
        if self.inside:
            super()._write_alone()
            return
        for call in self.alone:
            self._record(call)
        self.alone = []

    def _meet(self) -> None:
        if self.inside:
            super()._meet()
        else:
            self._add("0", 0, [])

    def _record(self, call: Call) -> None:
        places = [place for pointer in call.pointers for place in self._place(pointer)]
        self.arities.add(len(call.pointers))
        self._add(f"ptrtoint (ptr @{call.kernel} to i64)", self.shares[_key(call)], places)

    def _add(self, kernel: str, share: int, places: Sequence[int]) -> None:
        numbers = [share, len(places) // 2, HEAD + len(places), *places]
        self.words += [kernel, *map(str, numbers)]
        self.pending_records += 1

    def _place(self, pointer: Pointer) -> tuple[int, int]:
        if pointer.buffer.kind is Kind.ARENA:
            return 0, pointer.offset + pointer.buffer.offset
        return self.number[id(pointer.buffer)], pointer.offset

    # -- code between them

    def _block(self, block: Block) -> None:
        if self.inside:
            super()._block(block)
            return
        self._barrier()
        self._run_records()
        self.inside = True
        super()._block(block)
        self.inside = False

    def _run_records(self) -> None:
        """Code that goes through the records since the last such code."""
        if not self.pending_records:
            return
        start = Reg("ptr", f"getelementptr (i64, ptr {RECORDS}, i64 {self.first_word})")
        table, _, threads, barrier = self.parameters
        self.f.call("perform", start, word(self.pending_records), table, self.kept, threads, barrier)
        self.pending_records, self.first_word = 0, len(self.words)


def _key(call: Call) -> int:
    return -call.tasks if call.is_serial else call.tasks


def _write_share(module: Module, attributes: str) -> None:
    """Add `share`: begin and end of a thread's part of each number of tasks; a negative number is the first one's."""
    kinds = (("ptr", "tasks"), ("i64", "count"), ("ptr", "shares"), ("i64", "thread"), ("i64", "threads"))
    tasks, count, shares, thread, threads = parameters = [Reg(kind, f"%{name}") for kind, name in kinds]
    f = Function(module, "share", parameters, f"noinline {attributes}")
    following = f.binary("add", thread, word(1))
    with f.loop(0, count) as loop:
        number = f.load("i64", f.at(tasks, "i64", loop.index))
        alone = f.compare("icmp slt", number, word(0))
        divided = f.select(alone, word(0), number)
        begin = f.binary("udiv", f.binary("mul", thread, divided), threads)
        end = f.binary("udiv", f.binary("mul", following, divided), threads)
        first = f.select(f.compare("icmp eq", thread, word(0)), f.binary("sub", word(0), number), word(0))
        place = f.at(shares, "i64", f.times(loop.index, 2))
        f.store(begin, place)
        f.store(f.select(alone, first, end), f.at(place, "i64", 1))
    f.mostly_calls()
    f.finish()


def _write_perform(module: Module, attributes: str, arities: Sequence[int]) -> None:
    """Add `perform`: go through so many records."""
    kinds = (
        ("ptr", "records"),
        ("i64", "count"),
        ("ptr", "table"),
        ("ptr", "shares"),
        ("i64", "threads"),
        ("ptr", "block"),
    )
    parameters = [Reg(kind, f"%{name}") for kind, name in kinds]
    records, count, table, shares, threads, block = parameters
    f = Function(module, "perform", parameters, f"noinline {attributes}")
    addresses = f.emit("ptr", f"alloca [{max([1, *arities])} x ptr]")
    with f.loop(0, count, 1, [records]) as loop:
        (record,) = loop.carried
        kernel = f.load("ptr", record)
        share, arity, length = (f.load("i64", f.at(record, "i64", number)) for number in (1, 2, 3))
        with f.when(f.compare("icmp eq", kernel, Reg("ptr", "null"))):
            f.call("barrier", block, threads)
        place = f.at(shares, "i64", f.times(share, 2))
        begin, end = f.load("i64", place), f.load("i64", f.at(place, "i64", 1))
        with f.when(f.compare("icmp slt", begin, end)):
            with f.loop(0, arity) as each:
                pointer = f.at(f.at(record, "i64", HEAD), "i64", f.times(each.index, 2))
                base = f.load("ptr", f.at(table, "ptr", f.load("i64", pointer)))
                address = f.at(base, "i8", f.load("i64", f.at(pointer, "i64", 1)))
                f.store(address, f.at(addresses, "ptr", each.index))
            _dispatch(f, kernel, addresses, arity, arities, (begin, end))
        loop.carry(f.at(record, "i64", length))
    f.mostly_calls()
    f.finish()


def _dispatch(
    f: Function, kernel: Reg, addresses: Reg, arity: Reg, arities: Sequence[int], tasks: tuple[Reg, Reg]
) -> None:
    """Call a kernel, which has so many pointers."""
    labels = {number: f.fresh("of") for number in arities}
    done = f.fresh("called")
    f.line(f"switch {arity}, label {done} [ {' '.join(f'i64 {n}, label {label}' for n, label in labels.items())} ]")
    for number, label in labels.items():
        f._label(label)
        pointers = [f.load("ptr", f.at(addresses, "ptr", place)) for place in range(number)]
        f.line(f"call void {kernel.name}({', '.join(map(str, (*pointers, *tasks)))})")
        f.line(f"br label {done}")
    f._label(done)
