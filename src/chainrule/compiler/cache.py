"""Machine code on disk, by what it was made from: a second process starts at once.

One file for each program, named by a hash of its LLVM IR, the versions and the processor. Files are written to a
temporary name and renamed, and carry a checksum: any number of processes may share the directory, and a damaged file
is ignored and written anew. A directory that can't be written is no error: then code is compiled each time.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

MAGIC = b"chainrule-code-1\n"
MOST_BYTES = 512 << 20
STORES_BETWEEN_CLEANINGS = 32
VARIABLE = "CHAINRULE_CACHE_DIR"

_chosen: list[Path | None] = []
_stores = 0


def set_directory(path: str | os.PathLike[str] | None) -> None:
    """Keep machine code in this directory; None keeps none."""
    _chosen[:] = [None if path is None else Path(path)]


def directory() -> Path | None:
    """Where machine code is kept: what was set, else CHAINRULE_CACHE_DIR (empty: nowhere), else the user's cache."""
    if _chosen:
        return _chosen[0]
    if VARIABLE in os.environ:
        return Path(os.environ[VARIABLE]) if os.environ[VARIABLE] else None
    return _users_cache()


def _users_cache() -> Path | None:
    try:
        if sys.platform == "win32":
            return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "chainrule" / "code"
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "chainrule" / "code"
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chainrule" / "code"
    except RuntimeError:  # a user without a home
        return None


def key_of(*parts: str) -> str:
    """A name for code made from these texts."""
    found = hashlib.sha256()
    for part in parts:
        found.update(len(part).to_bytes(8, "little"))
        found.update(part.encode())
    return found.hexdigest()


def load(key: str) -> bytes | None:
    """The code kept under a key, if it is there and whole."""
    place = directory()
    if place is None:
        return None
    path = place / key
    try:
        raw = path.read_bytes()
    except OSError:
        return None
    head, checksum, code = raw[: len(MAGIC)], raw[len(MAGIC) : len(MAGIC) + 32], raw[len(MAGIC) + 32 :]
    if head != MAGIC or hashlib.sha256(code).digest() != checksum:
        return None
    with suppress(OSError):
        os.utime(path)  # the oldest are removed first
    return code


def store(key: str, code: bytes) -> None:
    """Keep code under a key; where that fails, nothing is kept."""
    global _stores
    place = directory()
    if place is None:
        return
    temporary = None
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=place, prefix=".new-", delete=False) as file:
            temporary = file.name
            file.write(MAGIC + hashlib.sha256(code).digest() + code)
        os.replace(temporary, place / key)
        temporary = None
    except OSError:
        pass
    finally:
        if temporary is not None:
            with suppress(OSError):
                os.unlink(temporary)
    _stores += 1
    if _stores % STORES_BETWEEN_CLEANINGS == 1:
        clean(place)


def clean(place: Path, most: int = MOST_BYTES) -> None:
    """Remove the code that was not used for longest, until the rest takes no more than `most` bytes."""
    try:
        found = [(entry.stat().st_mtime, entry.stat().st_size, entry.path) for entry in os.scandir(place)]
    except OSError:
        return
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= most:
            return
        with suppress(OSError):
            os.unlink(path)
        total -= size
