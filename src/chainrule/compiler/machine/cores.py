"""How many cores this process may use: those it may run on, and the time that containers give it (Linux only)."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


def default_threads() -> int:
    """The cores that this process may use. With more threads than it has time for, all would wait for the stopped."""
    affinity = getattr(os, "sched_getaffinity", None)
    known = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    return max(1, math.ceil(min(known, _quota())))


@functools.cache
def _quota() -> float:
    """How many cores' time the control groups of this process have; infinite where nothing limits it."""
    return smallest_quota(OWN, GROUPS)


def smallest_quota(own: Path, groups: Path) -> float:
    """The same by these files. own: names the groups; groups: holds their limits."""
    with suppress(OSError, ValueError):
        lines = [line.split(":", 2) for line in own.read_text().splitlines()]
        of_time = [(kinds, group) for _, kinds, group in lines if not kinds or "cpu" in kinds.split(",")]
        return min((limit for kinds, group in of_time for limit in _quotas(groups, kinds, group)), default=math.inf)
    return math.inf


def _quotas(groups: Path, kinds: str, group: str) -> Iterator[float]:
    """Of a group and those around it; one that a container doesn't see is passed over."""
    top = groups / "cpu" if kinds else groups  # version 1 has a tree for each kind, version 2 one for all
    folder = top / group.strip("/")
    for each in (folder, *folder.parents):
        with suppress(OSError):
            found = _words(each, "cpu.cfs_quota_us", "cpu.cfs_period_us") if kinds else _words(each, "cpu.max")
            if found[0].isdecimal():
                yield int(found[0]) / int(found[1])
        if each == top:
            return


def _words(folder: Path, *files: str) -> list[str]:
    return [word for file in files for word in (folder / file).read_text().split()]
