"""Machine code on disk, by what it was made from: a second process starts at once.

One file for each program, named by a hash of its graph, the versions and the processor. Files are written to a
temporary name and renamed, and carry a checksum: any number of processes may share the directory, and a damaged file
is ignored and written anew. A directory that can't be written is no error: then code is compiled each time. What was
not used for longest goes once all take more than half a gigabyte. Code is run as it lies there, so the directory
belongs to the user alone, as ~/.cache does; `chainrule cache` shows it and empties it.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...records import dataclass

MAGIC = b"chainrule-code-2\n"
MOST_BYTES = 512 << 20
STORES_BETWEEN_CLEANINGS = 32
VARIABLE = "CHAINRULE_CACHE_DIR"
OURS = re.compile(r"[0-9a-f]{64}|\.new-.*")

_chosen: list[Path | None] = []
_stores = 0


def set_directory(path: str | os.PathLike[str] | None) -> None:
    """Keep machine code in this directory; None keeps none."""
    _chosen[:] = [None if path is None else Path(os.path.expanduser(path))]


@contextmanager
def nothing_kept() -> Iterator[None]:
    """Inside the block no machine code is kept or found; afterwards all is as before."""
    before = list(_chosen)
    set_directory(None)
    try:
        yield
    finally:
        _chosen[:] = before


def directory() -> Path | None:
    """Where machine code is kept: what was set, else CHAINRULE_CACHE_DIR (empty: nowhere), else the user's cache."""
    if _chosen:
        return _chosen[0]
    if VARIABLE in os.environ:
        named = os.path.expanduser(os.environ[VARIABLE])  # no shell has done so where a file of settings named it
        return Path(named) if named else None
    return _users_cache()


def _users_cache() -> Path | None:
    try:
        if sys.platform == "win32":
            return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "chainrule" / "code"
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "chainrule" / "code"
        named = Path(os.environ.get("XDG_CACHE_HOME", ""))
        return (named if named.is_absolute() else Path.home() / ".cache") / "chainrule" / "code"
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
        raw = path.read_bytes() if path.is_file() else b""  # a pipe would keep us waiting
    except OSError:
        return None
    head, checksum, code = raw[: len(MAGIC)], raw[len(MAGIC) : len(MAGIC) + 32], raw[len(MAGIC) + 32 :]
    if head != MAGIC or _checksum(key, code) != checksum:
        return None
    with suppress(OSError):
        os.utime(path)  # the oldest are removed first
    return code


def _checksum(key: str, code: bytes) -> bytes:
    """Of the code and the name it lies under: whole code under another's name would be run in its place."""
    return hashlib.sha256(key.encode() + code).digest()


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
            file.write(MAGIC + _checksum(key, code) + code)
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
    found = sorted(_files(place))
    total = sum(size for _, size, _ in found)
    for _, size, path in found:
        if total <= most:
            return
        with suppress(OSError):
            os.unlink(path)
        total -= size


@dataclass(frozen=True)
class Contents:
    """What a directory of machine code holds."""

    programs: int
    nbytes: int


def contents() -> Contents:
    """How many programs are kept, and how many bytes they take."""
    place = directory()
    sizes = [] if place is None else [size for _, size, _ in _files(place)]
    return Contents(len(sizes), sum(sizes))


def clear() -> Contents:
    """Remove all code that is kept; returns what there was. Programs that run go on."""
    before, place = contents(), directory()
    if place is not None:
        clean(place, 0)
    return before


def _files(place: Path) -> list[tuple[float, int, str]]:
    """Time of last use, bytes and path of every file of the cache. What others put there is left alone."""
    try:
        with os.scandir(place) as entries:
            ours = [entry for entry in entries if OURS.fullmatch(entry.name)]
    except OSError:
        return []
    found = []
    for entry in ours:
        with suppress(OSError):  # another process may have removed it
            if entry.is_file():
                found.append((entry.stat().st_mtime, entry.stat().st_size, entry.path))
    return found
