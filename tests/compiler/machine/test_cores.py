"""How many cores a process may use, where a container limits its time. The files are as Linux documents them."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from chainrule.compiler.machine import cores

V2 = {"cpu.max": "max 100000", "a/cpu.max": "250000 100000", "a/b/cpu.max": "300000 100000"}
V1 = {
    "cpu/cpu.cfs_quota_us": "-1",
    "cpu/cpu.cfs_period_us": "100000",
    "cpu/a/cpu.cfs_quota_us": "50000",
    "cpu/a/cpu.cfs_period_us": "20000",
}
OTHERS = "12:cpuset:/a/b\n5:memory:/a\n"


@pytest.mark.parametrize(
    ("files", "own", "expected"),
    [
        (V2, "0::/a/b\n", 2.5),  # a group has no more than those around it
        (V2, "0::/\n", math.inf),
        (V2, "0::/a\n", 2.5),
        ({"cpu.max": "150000 100000"}, "0::/seen/from/outside\n", 1.5),  # a container sees its own group as the top
        ({"cpu.max": "150000 100000"}, "0::/../..\n", 1.5),
        (V1, OTHERS + "4:cpu,cpuacct:/a/b\n0::/\n", 2.5),
        (V1, OTHERS + "4:cpu:/\n", math.inf),
        ({}, OTHERS, math.inf),
        ({}, "what nobody knows\n", math.inf),
    ],
)
def test_the_smallest_of_all_groups_counts(files: dict[str, str], own: str, expected: float, tmp_path: Path) -> None:
    for name, text in {**files, "own": own}.items():
        place = tmp_path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    assert cores.smallest_quota(tmp_path / "own", tmp_path) == expected


def test_a_part_of_a_core_is_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    for quota, expected in ((0.3, 1), (1.0, 1), (1.5, 2), (math.inf, 8)):
        monkeypatch.setattr(cores, "_quota", lambda quota=quota: quota)
        assert cores.default_threads() == expected
