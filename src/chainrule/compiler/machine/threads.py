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
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from .runtime import Code, forks_wait, processor
from .thread_words import BLOCK_WORDS, EVERYONE, FIRST, FUTEX, JOB, LINE, NAP, ONE_JOB, STOP, SYSTEM_CALL, WAKE, YIELD


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
        self._most = sys.maxsize  # threads that the system gives
        room = np.zeros(BLOCK_WORDS + LINE, np.int64)
        self._room = room
        start = -(room.ctypes.data // 8) % LINE
        self._block = room[start : start + BLOCK_WORDS]
        self._address = int(self._block.ctypes.data)
        self._can_thread = sys.platform != "win32" and hasattr(os, "sched_yield")

    def run(self, address: int, context: int, threads: int) -> None:
        """Call `void f(ptr context, i64 thread, i64 threads, ptr block)` on so many threads, and wait for all."""
        if threads <= 1 or not self._can_thread:
            _direct(address)(context, 0, 1, self._address)
            return
        with self._lock:
            running = self._grown(threads)
            self._launch(self._address, address, context, running)

    def prepare(self, threads: int) -> None:
        """Have the code ready for a run on so many; none is started yet."""
        if threads > 1 and self._can_thread:
            with self._lock:
                if self._code is None:
                    self._start()

    def _start(self) -> None:
        with forks_wait:
            from .thread_code import pool_text  # programs for one thread need none of it

        self._code = Code(pool_text())
        kinds = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
        self._launch = ctypes.CFUNCTYPE(None, *kinds)(self._code.address("launch"))
        libc = _libc()
        self._block[YIELD] = _address(libc.sched_yield)
        self._block[SYSTEM_CALL] = _address(libc.syscall) if sys.platform == "linux" else 0
        self._block[NAP] = _address(libc.usleep)

    def _grown(self, threads: int) -> int:
        """Make sure that there are workers 1 to threads - 1, or as many as the system gives: how many run then.

        Their number moves no bit, so there is no need to ask for more.
        """
        if self._code is None:
            self._start()
        assert self._code is not None
        while len(self._handles) < min(threads, self._most) - 1:
            self._block[FIRST] = self._block[JOB]
            handle = ctypes.c_ulong()
            worker = ctypes.c_void_p(self._code.address("worker"))
            if _libc().pthread_create(ctypes.byref(handle), None, worker, ctypes.c_void_p(self._address)):
                self._most = len(self._handles) + 1
            else:
                self._handles.append(handle)
        return min(threads, self._most)

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


@lru_cache(maxsize=256)
def _direct(address: int) -> Callable[[int, int, int, int], None]:
    """What lies at an address, as a function; to make that anew takes longer than to call it."""
    return _DIRECT(address)


_pool: Pool | None = None


def pool() -> Pool:
    """The pool of this process; its workers start when a program first needs them."""
    global _pool
    if _pool is None:
        _pool = Pool()
    return _pool


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
