"""The pool of native threads: any number of them, in turns, from several Python threads, after a fork, at the end."""

from __future__ import annotations

import ctypes
import multiprocessing
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler.machine import threads
from chainrule.compiler.machine.runtime import Code, host
from chainrule.compiler.machine.thread_code import barrier_ir
from chainrule.compiler.running import entry
from chainrule.compiler.text.emit import Function, Module, Reg

from ... import stress

NEEDS_THREADS = pytest.mark.skipif(not threads.pool()._can_thread, reason="no pthreads here")
WORDS = 8  # apart in memory, so that each thread has a line of its own


@pytest.fixture(scope="module")
def counting() -> tuple[Code, Any]:
    """A program in which each thread adds 1 to its own word, three times with a barrier between."""
    module = Module()
    barrier_ir(module)
    context, thread, count, block = parameters = [
        Reg(kind, f"%{name}")
        for kind, name in zip(("ptr", "i64", "i64", "ptr"), ("context", "thread", "count", "block"))
    ]
    f = Function(module, "counting", parameters, host().attributes)
    mine = f.at(context, "i64", f.times(thread, WORDS))
    for _ in range(3):
        f.store(f.binary("add", f.load("i64", mine), Reg("i64", "1")), mine)
        f.call("barrier", block, count)
    f.finish()
    code = Code(module.text())
    return code, code.address("counting")


@NEEDS_THREADS
def test_numbers_of_threads_take_turns(counting: Any) -> None:
    """Each thread of a job does it once, those without a part in it never, however late they see it."""
    _, address = counting
    random, expected = np.random.default_rng(0), np.zeros(9, np.int64)
    counts = np.zeros(9 * WORDS, np.int64)
    for number in random.choice([1, 2, 3, 5, 8, 9], 400):
        threads.pool().run(address, counts.ctypes.data, int(number))
        expected[:number] += 3
        np.testing.assert_array_equal(counts[::WORDS], expected)


@NEEDS_THREADS
def test_python_threads_share_the_pool(counting: Any) -> None:
    _, address = counting
    wrong: list[Any] = []

    def work(number: int) -> None:
        counts = np.zeros(number * WORDS, np.int64)
        for _ in range(60):
            threads.pool().run(address, counts.ctypes.data, number)
        if not (counts[::WORDS] == 180).all():
            wrong.append(counts)

    workers = [threading.Thread(target=work, args=(number,)) for number in (1, 2, 4, 3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(300)
    assert not wrong
    assert not any(worker.is_alive() for worker in workers)


def _sum_in_child(total: Any, given: Any, answer: Any) -> None:
    answer.put(float(total(given)))


@NEEDS_THREADS
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry, "PARALLEL_COST", 0)
    given = np.random.default_rng(0).standard_normal((300, 400)).astype(np.float32)
    total = cr.compile(lambda x: (x @ x.T).sum(), threads=3)
    before = float(total(given))
    context = multiprocessing.get_context("fork")
    answer = context.Queue()
    held, forked = threading.Event(), threading.Event()
    holder = threading.Thread(target=_hold, args=(total, held, forked))
    holder.start()
    held.wait()
    child = context.Process(target=_sum_in_child, args=(total, given, answer))
    child.start()
    forked.set()
    holder.join()
    assert answer.get(timeout=300) == before
    child.join(300)
    assert child.exitcode == 0
    assert float(total(given)) == before


def _hold(function: Any, held: threading.Event, forked: threading.Event) -> None:
    """The lock of a function is held while the process forks."""
    with function._lock:
        held.set()
        forked.wait()


ENDS = {
    "normally": "",
    "by an error": "raise SystemExit(0)",
}


@NEEDS_THREADS
@pytest.mark.parametrize("end", ENDS)
def test_the_interpreter_ends(end: str) -> None:
    program = f"""
import threading, numpy as np, chainrule as cr
from chainrule.compiler.running import entry
entry.PARALLEL_COST = 0
x = np.ones((64, 64), np.float32)
total = cr.compile(lambda x: (x @ x).sum(), threads=4)
assert float(total(x)) == 64**3
{ENDS[end]}
"""
    done = subprocess.run([sys.executable, "-c", program], timeout=300, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not done.stderr


@NEEDS_THREADS
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no signals and forks as here")
@pytest.mark.parametrize(
    "name",
    [
        "Ctrl-C in mid-epoch leaves whole steps, and training goes on",
        "it ends by sys.exit while a thread runs an epoch",
        "a child forked in mid-epoch trains by itself",
        "threads call different functions, with new shapes",
    ],
)
def test_hard_circumstances(name: str) -> None:
    """`python tests/stress.py` runs these and more of them, many times."""
    assert not stress.run(stress.SCENARIOS[name])


def test_one_thread_needs_no_pool(counting: Any) -> None:
    _, address = counting
    counts = (ctypes.c_int64 * WORDS)()
    threads.Pool().run(address, ctypes.addressof(counts), 1)
    assert counts[0] == 3


FEWER = """
import hashlib, os, resource
import numpy as np
import chainrule as cr
from chainrule.compiler.running import entry
from chainrule.compiler.planning import program
entry.PARALLEL_COST = program.SERIAL_COST = 0
x = np.random.default_rng(0).standard_normal((300, 300)).astype("f")
functions = [cr.compile(lambda x: x @ x + cr.exp(x), threads=count) for count in (1, 64)]
for function in functions:
    function.program(x)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
limit = used + 40 * 2**20  # room for few stacks
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
print(len({function(x).numpy().tobytes() for function in functions for _ in range(3)}))
print(len(os.listdir("/proc/self/task")) < 64)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_with_fewer_threads_than_asked_for_where_the_system_gives_no_more() -> None:
    found = subprocess.run([sys.executable, "-c", FEWER], capture_output=True, text=True)
    assert found.stdout.split() == ["1", "True"], found.stderr
