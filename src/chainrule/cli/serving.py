"""Pages served while a command runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from ..reports.serve import Answer, LoopbackServer


@contextmanager
def served(pages: Mapping[str, Answer], actions: Mapping[str, Answer], port: int = 0) -> Iterator[LoopbackServer]:
    """A server on the loopback address inside the block; raises ConfigurationError where the port is taken."""
    from ..reports.serve import LoopbackServer

    try:
        server = LoopbackServer(pages, actions, port).start()
    except OSError as error:
        raise ConfigurationError(
            f"port {port} can't be used ({error.strerror}): leave --port out, or name another"
        ) from error
    try:
        yield server
    finally:
        server.stop()
