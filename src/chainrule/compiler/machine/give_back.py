"""Memory that the system gets back once LLVM has done its work, before a program's own comes on top. Linux only."""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MUCH = 16 << 20
"""Bytes of a program's memory from which on it is worth some milliseconds to forget LLVM's code."""
DONT_NEED = 4
"""MADV_DONTNEED."""
HEAD = re.compile(r"(?P<start>[0-9a-f]+)-(?P<stop>[0-9a-f]+) r-(?:-|x)p .*/lib(?:llvmlite|LLVM)[^/]*$")
OWN = re.compile(r"(?P<name>Anonymous|Swap): +(?P<size>\d+) kB")
NOTHING = {"Anonymous": "0", "Swap": "0"}
"""What is told of a part that has no page of its own; where less is told, it is left alone."""


def _function(name: str) -> Any:
    """A function of the C library, None where it has none of that name."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None


def trim_heap() -> None:
    """What was freed, tens of megabytes after LLVM has compiled."""
    trim = _function("malloc_trim")  # glibc has it
    if trim is not None:
        trim(0)


def forget_code() -> None:
    """LLVM's code, some 60 MB: pages of a file, which are found again should it run again."""
    advise = _function("madvise")
    if advise is None:
        return
    for start, stop in unchanged():
        advise(ctypes.c_void_p(start), ctypes.c_size_t(stop - start), DONT_NEED)


def unchanged() -> Iterator[tuple[int, int]]:
    """From where to where LLVM's files lie in memory just as on the disk, and nobody may write."""
    try:
        lines = Path("/proc/self/smaps").read_text().splitlines()
    except OSError:
        return
    found: tuple[int, int] | None = None
    own: dict[str, str] = {}
    for line in lines:
        if "-" in line.split(" ", 1)[0]:
            head = HEAD.match(line)
            found = (int(head["start"], 16), int(head["stop"], 16)) if head else None
            own = {}
        elif found and (size := OWN.match(line)):
            own[size["name"]] = size["size"]
        elif found and line.startswith("VmFlags") and own == NOTHING:
            yield found
