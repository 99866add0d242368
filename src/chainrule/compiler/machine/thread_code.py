"""The code of native threads: the barrier where they meet, workers that wait for jobs, the launch of one."""

from __future__ import annotations

import sys

from ..text.emit import Function, Module, Reg, const, word
from .runtime import processor
from .thread_words import (
    CONTEXT,
    COUNT,
    EVERYONE,
    FIRST,
    FUNCTION,
    FUTEX,
    GENERATION,
    JOB,
    NAP,
    ONE_JOB,
    RUNNING,
    SLEEPERS,
    SPINS_BEFORE_SLEEP,
    SPINS_BEFORE_YIELD,
    STARTED,
    STOP,
    SYSTEM_CALL,
    THREADS,
    WAIT,
    WAKE,
    YIELD,
)


def pool_text() -> str:
    """The module of what the pool calls: `worker` and `launch`."""
    module = Module()
    _worker_ir(module)
    _launch_ir(module)
    return module.text()


def barrier_ir(module: Module) -> None:
    """Add `void @barrier(ptr block, i64 threads)`: nobody goes on before all have come."""
    block, threads = Reg("ptr", "%block"), Reg("i64", "%threads")
    f = Function(module, "barrier", [block, threads], f"noinline {processor().attributes}")
    with f.when(f.compare("icmp sgt", threads, word(1))):
        generation = _load(f, block, GENERATION)
        before = _add(f, block, COUNT, 1)
        last = f.compare("icmp eq", before, f.binary("sub", threads, word(1)))
        with f.when(last):
            _store(f, block, COUNT, word(0))
            _store(f, block, GENERATION, f.binary("add", generation, word(1)))
        with f.when(f.binary("xor", last, const("i1", 1))):
            _spin(f, block, GENERATION, generation, 0)
    f.finish()


def _field(f: Function, block: Reg, number: int) -> Reg:
    return f.at(block, "i64", number)


def _load(f: Function, block: Reg, number: int) -> Reg:
    return f.emit("i64", f"load atomic i64, ptr {_field(f, block, number).name} seq_cst, align 8")


def _store(f: Function, block: Reg, number: int, value: Reg) -> None:
    f.line(f"store atomic {value}, ptr {_field(f, block, number).name} seq_cst, align 8")


def _add(f: Function, block: Reg, number: int, amount: int) -> Reg:
    """Add to a field; gives what it was."""
    return f.emit("i64", f"atomicrmw add ptr {_field(f, block, number).name}, i64 {amount} seq_cst")


def _pause(f: Function) -> None:
    triple = processor().triple
    if triple.startswith(("x86_64", "i686")):
        f.module.declare("@llvm.x86.sse2.pause", "void @llvm.x86.sse2.pause()")
        f.line("call void @llvm.x86.sse2.pause()")
    elif triple.startswith(("aarch64", "arm64")):
        f.module.declare("@llvm.aarch64.hint", "void @llvm.aarch64.hint(i32)")
        f.line("call void @llvm.aarch64.hint(i32 1)")


def _spin(f: Function, block: Reg, number: int, value: Reg, most: int) -> None:
    """Wait until a field is no longer `value`; at most so many rounds, or for ever with 0. Yields now and then."""
    head, again, away, done = (f.fresh(name) for name in ("spin", "again", "away", "over"))
    count = f.fresh("count")
    entry = f.block
    f.line(f"br label {head}")
    f._label(head)
    f.lines.append(f"  {count} = phi i64 [ 0, %{entry} ], [ {count}next, {again} ]")
    now = _load(f, block, number)
    changed = f.compare("icmp ne", now, value)
    if most:
        changed = f.binary("or", changed, f.compare("icmp sge", Reg("i64", count), word(most)))
    f.line(f"br {changed}, label {done}, label {away}")
    f._label(away)
    _pause(f)
    f.lines.append(f"  {count}next = add i64 {count}, 1")
    due = f.compare("icmp eq", f.binary("and", Reg("i64", f"{count}next"), word(SPINS_BEFORE_YIELD - 1)), word(0))
    with f.when(due):
        give_way = f.load("ptr", _field(f, block, YIELD))
        f.line(f"call i32 {give_way.name}()")
    f.line(f"br label {again}")
    f._label(again)
    f.line(f"br label {head}")
    f._label(done)


def _run(f: Function, block: Reg, thread: Reg) -> None:
    function = f.load("ptr", _field(f, block, FUNCTION))
    context = f.load("ptr", _field(f, block, CONTEXT))
    threads = f.load("i64", _field(f, block, THREADS))
    f.line(f"call void {function.name}({context}, {thread}, {threads}, {block})")


def _futex(f: Function, block: Reg, operation: int, value: Reg) -> None:
    """Sleep while the job number is `value`, or wake who sleeps; a nap where there is no futex."""
    number = FUTEX.get(processor().triple.split("-")[0]) if sys.platform == "linux" else None
    if number is not None:
        call = f.load("ptr", _field(f, block, SYSTEM_CALL))
        arguments = f"i64 {number}, {_field(f, block, JOB)}, i64 {operation}, {value}, i64 0, i64 0, i64 0"
        f.line(f"call i64 (i64, ...) {call.name}({arguments})")
    elif operation == WAIT:
        nap = f.load("ptr", _field(f, block, NAP))
        f.line(f"call i32 {nap.name}(i32 100)")


def _worker_ir(module: Module) -> None:
    """`ptr worker(ptr block)`: waits for jobs until told to stop, from the one on that follows FIRST.

    A worker numbers itself. One that has no part in a job may be late to see it, so nothing but the job is read then.
    """
    block = Reg("ptr", "%block")
    f = Function(module, "worker", [block], processor().attributes, "ptr")
    first = _load(f, block, FIRST)
    thread = f.binary("add", _add(f, block, STARTED, 1), word(1))
    head, leave = f.fresh("jobs"), f.fresh("leave")
    seen = f.fresh("seen")
    f.line(f"br label {head}")
    f._label(head)
    place = len(f.lines)
    last = Reg("i64", seen)
    _spin(f, block, JOB, last, SPINS_BEFORE_SLEEP)
    with f.when(f.compare("icmp eq", _load(f, block, JOB), last)):
        _add(f, block, SLEEPERS, 1)
        _futex(f, block, WAIT, last)
        _add(f, block, SLEEPERS, -1)
    job = _load(f, block, JOB)
    stop = f.compare("icmp ne", _load(f, block, STOP), word(0))
    following = f.fresh("work")
    f.line(f"br {stop}, label {leave}, label {following}")
    f._label(following)
    threads = f.binary("and", job, word(ONE_JOB - 1))
    mine = f.binary("and", f.compare("icmp ne", job, last), f.compare("icmp slt", thread, threads))
    with f.when(mine):
        _run(f, block, thread)
        _add(f, block, RUNNING, -1)
    end = f.block
    f.line(f"br label {head}")
    f.lines.insert(place, f"  {seen} = phi i64 [ {first.name}, %entry ], [ {job.name}, %{end} ]")
    f._label(leave)
    f.finish(Reg("ptr", "null"))


def _launch_ir(module: Module) -> None:
    """`void launch(ptr block, ptr function, ptr context, i64 threads)`: the caller is thread 0."""
    block, function, context, threads = (
        Reg(kind, f"%{name}")
        for kind, name in (("ptr", "block"), ("ptr", "function"), ("ptr", "context"), ("i64", "threads"))
    )
    f = Function(module, "launch", [block, function, context, threads], processor().attributes)
    f.store(function, _field(f, block, FUNCTION))
    f.store(context, _field(f, block, CONTEXT))
    f.store(threads, _field(f, block, THREADS))
    _store(f, block, RUNNING, f.binary("sub", threads, word(1)))
    before = f.binary("and", _load(f, block, JOB), word(-ONE_JOB))
    _store(f, block, JOB, f.binary("or", f.binary("add", before, word(ONE_JOB)), threads))
    with f.when(f.compare("icmp ne", _load(f, block, SLEEPERS), word(0))):
        _futex(f, block, WAKE, word(EVERYONE))
    _run(f, block, word(0))
    waiting = f.fresh("waiting")
    done = f.fresh("finished")
    f.line(f"br label {waiting}")
    f._label(waiting)
    left = _load(f, block, RUNNING)
    spin = f.fresh("still")
    f.line(f"br {f.compare('icmp eq', left, word(0))}, label {done}, label {spin}")
    f._label(spin)
    _spin(f, block, RUNNING, left, 0)
    f.line(f"br label {waiting}")
    f._label(done)
    f.finish()
