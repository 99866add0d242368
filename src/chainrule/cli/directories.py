"""Run directories: a new one for each run, never over another."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import ChainruleError, ConfigurationError
from ..train import RunDirectory

ROOT = Path("runs")


def check_free(directory: Path | None) -> None:
    """Raise ConfigurationError where a directory the user named is in use; before any work is done."""
    if directory is None or not directory.exists():
        return
    if not directory.is_dir():
        raise ConfigurationError(f"{directory} is a file: name a directory for the run that doesn't exist yet")
    if any(directory.iterdir()):
        raise ConfigurationError(
            f"{directory} is not empty: choose another --run, or go on with the run in it by --resume {directory}"
        )


@contextmanager
def removed_if_nothing_began(path: Path) -> Iterator[None]:
    """Take a new run's directory away again where an error comes before its first checkpoint: nothing is in it yet."""
    try:
        yield
    except (ChainruleError, OSError, MemoryError):
        if not RunDirectory(path).has_checkpoint:
            shutil.rmtree(path, ignore_errors=True)
            with suppress(OSError):  # there are other runs in it
                ROOT.rmdir()
        raise


def make(directory: Path | None, name: str) -> Path:
    """The directory the user named, or runs/NAME-N with the first free N; made now, so that no other run takes it."""
    if directory is not None:
        check_free(directory)
        directory.mkdir(parents=True, exist_ok=True)
        return directory
    ROOT.mkdir(exist_ok=True)
    plain = re.sub(r"[^\w.+-]+", "-", name).strip("-.") or "run"
    number = 1
    while True:
        free = ROOT / f"{plain}-{number}"
        try:
            free.mkdir()
        except FileExistsError:
            number += 1
        else:
            return free
