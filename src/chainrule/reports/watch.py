"""A training that can be watched: what it tells its display goes on to a page that is served meanwhile.

The page's side only reads figures that were handed over, and files that recorders have written; it touches no array
and no random state of the training.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..train.progress import Display
from .contents import RunContents
from .html.document import Document, Section
from .html.numbers import plain
from .run_page import sections
from .serve import LoopbackServer

SCRIPTS = ("dagre.min.js", "graph.js", "maps.js", "sample.js")
"""What sections that come later will need."""
PATIENCE = 5.0
"""Seconds that the end of the run waits for a page that is open to take the last figures."""
STILL_OPEN = 3.0
"""A page that asked within so many seconds is open."""


class Watch:
    """A display for `fit` that passes all on to another one, and the server of its page.

    with Watch(contents, inner) as watch:
        fit(model, optimizer, data=data, progress=watch)
    """

    def __init__(self, contents: RunContents, inner: Display, port: int = 0) -> None:
        self.contents, self.inner = contents, inner
        self.rows: list[Mapping[str, Any]] = list(contents.rows)
        self._progress: dict[str, Any] = {}
        self._final: list[Section] | None = None
        self._version, self._told, self._asked = 0, -1, -STILL_OPEN
        self._lock = threading.Lock()
        self._server = LoopbackServer({"/": lambda _: self._page()}, {"/state": self._state}, port)

    @property
    def url(self) -> str:
        """Where to look."""
        return self._server.url

    def __enter__(self) -> Watch:
        self._server.start()
        return self

    def __exit__(self, *problem: object) -> None:
        """Let a page that is open see the end, and stop."""
        with self._lock:
            self._progress["over"] = True
            self._version += 1
        until = time.monotonic() + PATIENCE
        while self._is_open() and self._told < self._version and time.monotonic() < until:
            time.sleep(0.05)
        self._server.stop()

    # -- what the training tells

    def begin_epoch(self, epoch: int, epochs: int, batches: int | None, done: int) -> None:
        """An epoch begins."""
        self._note(epoch=epoch, epochs=epochs, batches=batches, done=done)
        self.inner.begin_epoch(epoch, epochs, batches, done)

    def batch(self, done: int, figures: dict[str, float]) -> None:
        """An update is done."""
        self._note(done=done, figures=figures)
        self.inner.batch(done, figures)

    def end_epoch(self, row: dict[str, Any]) -> None:
        """An epoch has ended."""
        with self._lock:
            self.rows.append(dict(row))
            self._version += 1
        self.inner.end_epoch(row)

    def close(self) -> None:
        """The training is over."""
        self.inner.close()

    def finish(self, made: Iterable[Section]) -> None:
        """The whole page of the finished run, to be shown in place of the figures so far."""
        final = list(made)
        with self._lock:
            self._final = final
            self._version += 1

    def _note(self, **figures: Any) -> None:
        with self._lock:
            self._progress |= figures

    # -- what the page asks

    def _is_open(self) -> bool:
        return time.monotonic() - self._asked < STILL_OPEN

    def _sections(self, rows: Sequence[Mapping[str, Any]]) -> list[Section]:
        return list(sections(replace(self.contents, rows=rows, trained=None)))

    def _page(self) -> str:
        with self._lock:
            rows, version = list(self.rows), self._version
        live = {"version": version, "file": str(self.contents.directory or "")}
        document = Document(self.contents.title, self._sections(rows), self.contents.subtitle, live, SCRIPTS)
        return document.text()

    def _state(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            rows, version, progress = list(self.rows), self._version, dict(self._progress)
            final = self._final
        self._asked = time.monotonic()
        answer: dict[str, Any] = {"version": version, "progress": plain(progress), "sections": []}
        if int(asked["version"]) < version:
            made = self._sections(rows) if final is None else final
            answer["sections"] = [{"name": e.name, "title": e.title, "html": str(e.markup())} for e in made]
        self._told = version
        return answer
