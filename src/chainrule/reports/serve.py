"""A server for one reader: pages and JSON on the loopback address alone, standard library only."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ADDRESS = "127.0.0.1"
LARGEST_REQUEST = 1 << 16

Answer = Callable[[Any], "str | dict[str, Any]"]
"""From what a page sent (None for a page that is asked for) to HTML or to data."""


class LoopbackServer:
    """Answers on 127.0.0.1 in threads of its own until `stop`. pages: by path; actions: what pages may ask for.

    It talks to no other machine, and to no page but its own: requests that name another host, as a page elsewhere could
    make the browser send, are refused.
    """

    def __init__(self, pages: Mapping[str, Answer], actions: Mapping[str, Answer], port: int = 0) -> None:
        self._server = _Server((ADDRESS, port), _Handler)
        self._server.pages, self._server.actions = dict(pages), dict(actions)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)

    @property
    def port(self) -> int:
        """The port it was given, or found free."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Where to look."""
        return f"http://{ADDRESS}:{self.port}/"

    def start(self) -> LoopbackServer:
        """Begin to answer."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End, and free the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    pages: dict[str, Answer]
    actions: dict[str, Answer]


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        """A page."""
        self._answer(self.server.pages.get(self.path.partition("?")[0]), None)

    def do_POST(self) -> None:
        """Something that a page asks for, as JSON."""
        length = self.headers.get("Content-Length", "")
        is_json = self.headers.get_content_type() == "application/json"
        if not is_json or not length.isdigit() or int(length) > LARGEST_REQUEST:
            self.close_connection = True
            self._send(HTTPStatus.BAD_REQUEST, "text/plain", "expected a little JSON")
            return
        try:
            asked = json.loads(self.rfile.read(int(length)))
        except ValueError:
            self._send(HTTPStatus.BAD_REQUEST, "text/plain", "this is not JSON")
            return
        self._answer(self.server.actions.get(self.path), asked)

    def _answer(self, answer: Answer | None, asked: Any) -> None:
        if not self._is_own_page():
            self._send(HTTPStatus.FORBIDDEN, "text/plain", "this server answers only its own pages")
        elif answer is None:
            self._send(HTTPStatus.NOT_FOUND, "text/plain", "there is no such page")
        else:
            self._send_made(answer, asked)

    def _send_made(self, answer: Answer, asked: Any) -> None:
        try:
            made = answer(asked)
        except (ValueError, TypeError, KeyError, IndexError) as error:
            self._send(HTTPStatus.BAD_REQUEST, "text/plain", str(error))
            return
        if isinstance(made, str):
            self._send(HTTPStatus.OK, "text/html", made)
        else:
            self._send(HTTPStatus.OK, "application/json", json.dumps(made))

    def _is_own_page(self) -> bool:
        hosts = {f"{name}:{self.server.server_address[1]}" for name in (ADDRESS, "localhost")}
        origin = self.headers.get("Origin")
        return self.headers.get("Host") in hosts and (origin is None or origin.removeprefix("http://") in hosts)

    def _send(self, status: HTTPStatus, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Says nothing: the terminal belongs to the command."""
