"""Files that are never half written: a temporary name beside the place, then a rename."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from .errors import CheckpointError


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """The name of a file to write, which takes the place of `path` when the block has ended, and is gone if that fails.

    Whoever opens `path` sees the old file or the whole new one, also after a crash. Raises CheckpointError where the
    disk is full or not writable; then the old file is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp makes files for the owner alone
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise _explained(error, path) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """The same, open to be written."""
    with replaced(path) as temporary, temporary.open("wb") as file:
        yield file


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically, as `replacing` does."""
    with replacing(path) as file:
        file.write(content)


def _umask() -> int:
    """The permissions new files go without. It can only be read by setting it."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def _explained(error: OSError, path: Path) -> CheckpointError:
    if error.errno == errno.ENOSPC:
        return CheckpointError(
            f"no space left to write {path}: make room, then resume or try again; a file that was there is untouched"
        )
    return CheckpointError(f"can't write {path}: {error.strerror}; the file that was there is untouched")


def _sync_folder(folder: Path) -> None:
    """So that the rename itself survives a power failure, where the system can promise it."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, as UTF-8."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file atomically, for people to read too."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file; raises CheckpointError where it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} can't be read as JSON: {error}") from error


def remove_leftovers(folder: Path) -> None:
    """Temporary files of a process that was killed while writing."""
    for leftover in folder.glob(".*.tmp"):
        leftover.unlink(missing_ok=True)
