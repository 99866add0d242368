"""The loopback server: what it answers, whom it refuses, and that it ends."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator

import pytest

from chainrule.reports.serve import LARGEST_REQUEST, LoopbackServer


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    def fails(asked):
        raise ValueError("not so")

    running = LoopbackServer({"/": lambda _: "<p>hello</p>"}, {"/add": lambda asked: {"sum": sum(asked)}, "/no": fails})
    running.start()
    yield running
    running.stop()


def ask(server, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), dict(answer.getheaders())
    finally:
        connection.close()


def test_pages_and_actions(server):
    status, text, headers = ask(server, "GET", "/?x=1")
    assert (status, text) == (200, "<p>hello</p>") and headers["Content-Type"].startswith("text/html")
    status, text, headers = ask(server, "POST", "/add", "[1, 2]")
    assert (status, json.loads(text)) == (200, {"sum": 3}) and headers["Cache-Control"] == "no-store"


def test_it_listens_on_the_loopback_address_alone(server):
    assert server._server.server_address[0] == "127.0.0.1"
    assert server.url == f"http://127.0.0.1:{server.port}/"


@pytest.mark.parametrize(
    "headers", [{"Host": "example.org"}, {"Host": "localhost:1"}, {"Origin": "http://example.org"}, {"Origin": "null"}]
)
def test_pages_elsewhere_are_refused(server, headers):
    assert ask(server, "POST", "/add", "[1]", **headers)[0] == 403
    assert ask(server, "GET", "/", **headers)[0] == 403


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/add", "[1", {}, 400),
        ("/add", "[1]", {"Content-Type": "text/plain"}, 400),
        ("/add", " " * (LARGEST_REQUEST + 1), {}, 400),
        ("/add", '["a"]', {}, 400),
        ("/no", "1", {}, 400),
        ("/nowhere", "1", {}, 404),
    ],
)
def test_what_it_does_not_understand(server, path, body, headers, status):
    assert ask(server, "POST", path, body, **headers)[0] == status


def test_the_port_is_free_afterwards(server):
    port = server.port
    server.stop()
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
