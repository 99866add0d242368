"""`--watch`: a page about a training, served while it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from .. import __version__
from ..files import write_text
from ..reports.page import read_rows
from ..reports.run_page import FILE, run_document
from ..reports.watch import Watch
from .contents import described, read_contents

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from ..train.progress import Display
    from .record import Record


@contextmanager
def watching(record: Record, path: Path, display: Display, screen: Console) -> Iterator[Watch]:
    """A display that fills a page beside the one given. What it ends with is kept in the run directory."""
    with Watch(replace(described(record, path), rows=read_rows(path)), display) as watch:
        screen.print(f"\n  watch it at {watch.url}", style="bold")
        yield watch
        document = run_document(read_contents(path), __version__)
        write_text(path / FILE, document.text())
        watch.finish(document.sections)
        screen.print(f"\n  the page is kept as {path / FILE}", style="dim")
