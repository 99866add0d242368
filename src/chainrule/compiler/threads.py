"""Native threads: every program is run by all of them at once, and they meet at barriers.

The workers are pthreads that run code made here and never touch Python. Between runs they spin for a moment, then
sleep in the kernel (a futex on Linux, short naps elsewhere) and cost nothing. Where there are no pthreads one thread
does all.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import sys
import threading
from typing import Any

import numpy as np

from .emit import Function, Module, Reg, const, word
from .runtime import Code, processor

LINE = 8  # words in a cache line: what different threads write lies in different lines
(JOB, RUNNING, STOP, SLEEPERS, COUNT, GENERATION) = (LINE * number for number in range(6))
STARTED, FIRST = STOP + 1, STOP + 2
(FUNCTION, CONTEXT, THREADS, YIELD, SYSTEM_CALL, NAP) = (LINE * 6 + number for number in range(6))
BLOCK_WORDS = LINE * 8
SPINS_BEFORE_SLEEP = 20_000
SPINS_BEFORE_YIELD = 256
FUTEX = {"x86_64": 202, "aarch64": 98}
WAIT, WAKE = 128, 129  # private futex operations
EVERYONE = 2**30
ONE_JOB = 1 << 16
"""A job's number times this, and the number of its threads below: who reads the one knows the other."""


# -- the code


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


# -- the pool


def _libc() -> Any:
    return ctypes.CDLL(None)


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


class Pool:
    """The threads of this process. One program runs at a time; a program for one thread needs no pool."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._code: Code | None = None
        self._handles: list[ctypes.c_ulong] = []
        room = np.zeros(BLOCK_WORDS + LINE, np.int64)
        self._room = room
        start = -(room.ctypes.data // 8) % LINE
        self._block = room[start : start + BLOCK_WORDS]
        self._address = int(self._block.ctypes.data)
        self._can_thread = sys.platform != "win32" and hasattr(os, "sched_yield")

    def run(self, address: int, context: int, threads: int) -> None:
        """Call `void f(ptr context, i64 thread, i64 threads, ptr block)` on so many threads, and wait for all."""
        if threads <= 1 or not self._can_thread:
            _DIRECT(address)(context, 0, 1, self._address)
            return
        with self._lock:
            self._grow(threads)
            self._launch(self._address, address, context, threads)

    def _start(self) -> None:
        module = Module()
        _worker_ir(module)
        _launch_ir(module)
        self._code = Code(module.text())
        kinds = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
        self._launch = ctypes.CFUNCTYPE(None, *kinds)(self._code.address("launch"))
        libc = _libc()
        self._block[YIELD] = _address(libc.sched_yield)
        self._block[SYSTEM_CALL] = _address(libc.syscall) if sys.platform == "linux" else 0
        self._block[NAP] = _address(libc.usleep)

    def _grow(self, threads: int) -> None:
        """Make sure that there are workers 1 to threads - 1."""
        if self._code is None:
            self._start()
        assert self._code is not None
        while len(self._handles) < threads - 1:
            self._block[FIRST] = self._block[JOB]
            handle = ctypes.c_ulong()
            worker = ctypes.c_void_p(self._code.address("worker"))
            if _libc().pthread_create(ctypes.byref(handle), None, worker, ctypes.c_void_p(self._address)):
                raise MemoryError(f"the system gives no thread number {len(self._handles) + 1}; use fewer threads")
            self._handles.append(handle)

    def close(self) -> None:
        """Stop the workers and wait for their end."""
        with self._lock:
            if self._code is None or not self._handles:
                return
            self._block[STOP] = 1
            self._block[JOB] = (self._block[JOB] // ONE_JOB + 1) * ONE_JOB  # for no threads
            if sys.platform == "linux" and (number := FUTEX.get(processor().triple.split("-")[0])):
                _libc().syscall(number, ctypes.c_void_p(self._address + 8 * JOB), WAKE, EVERYONE, 0, 0, 0)
            for handle in self._handles:
                _libc().pthread_join(handle, None)
            self._handles = []
            self._can_thread = False  # who still runs at the end of the interpreter runs alone


_DIRECT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)
_pool: Pool | None = None


def pool() -> Pool:
    """The pool of this process; its workers start when a program first needs them."""
    global _pool
    if _pool is None:
        _pool = Pool()
    return _pool


def default_threads() -> int:
    """The cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def _close() -> None:
    if _pool is not None:
        _pool.close()


def _forget() -> None:
    """In a forked child: its parent's threads are not there."""
    global _pool
    _pool = None


atexit.register(_close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
