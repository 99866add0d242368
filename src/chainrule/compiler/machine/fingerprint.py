"""Which source turns graphs into code: code that another one made is none of ours."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

MAKERS = ("compiler", "passes", "ops", "ir")
"""The parts of the package whose source decides what code a graph becomes."""


@lru_cache(maxsize=1)
def fingerprint() -> str:
    """The sizes and times of the files of that source, as a hash."""
    package = Path(__file__).parents[2]
    found = hashlib.sha256()
    for part in MAKERS:
        for name, status in sorted(_sources(package, part), key=lambda source: source[0]):
            found.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return found.hexdigest()


def _sources(package: Path, folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """The files of Python in a folder and those within it: their names below the package, and what is known of them."""
    with os.scandir(package / folder) as entries:
        for entry in entries:
            name = f"{folder}/{entry.name}"
            if entry.is_dir():
                yield from _sources(package, name)
            elif entry.name.endswith(".py"):
                yield name, entry.stat()
