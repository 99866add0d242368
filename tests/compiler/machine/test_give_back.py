"""What LLVM no longer needs goes back to the system, and LLVM works as before."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import pytest

import chainrule as cr
from chainrule.compiler.machine import give_back, runtime
from chainrule.compiler.running import entry

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def resident_files() -> int:
    """Kilobytes of files that this process has in memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssFile"))


@linux
def test_code_of_llvm_leaves_memory_and_comes_back_when_it_is_needed() -> None:
    first = runtime.compiled_text("define i32 @seven() { ret i32 7 }")
    for start, stop in give_back.unchanged():  # whatever the system has taken away, or an earlier test
        ctypes.string_at(start, stop - start)
    before = resident_files()
    give_back.forget_code()
    assert resident_files() < before - 8 * 1024
    assert runtime.compiled_text("define i32 @seven() { ret i32 7 }") == first


@linux
def test_only_what_nobody_changed_is_forgotten() -> None:
    runtime.initialise()
    parts = list(give_back.unchanged())
    writable = {
        line.split("-")[0] for line in Path("/proc/self/maps").read_text().splitlines() if line.split()[1][1] == "w"
    }
    assert parts
    assert all(start < stop and f"{start:x}" not in writable for start, stop in parts)


def test_large_programs_forget_it_and_small_ones_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[None] = []
    monkeypatch.setattr(entry, "forget_code", lambda: calls.append(None))
    monkeypatch.setattr(entry, "MUCH", 1 << 12)
    step = cr.compile(lambda x: cr.sum(cr.matmul(cr.exp(x), cr.exp(x))))
    step(cr.ones((4, 4)))
    assert not calls
    assert step.program(cr.ones((64, 64)))
    assert calls
