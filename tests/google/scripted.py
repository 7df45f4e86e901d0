"""A real HTTP server on a free port that answers from a script: faults on demand, every request kept."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer; `drop` closes the connection after the request was read, with nothing said.

    A `body` that is a function gets the requests so far and gives the body.
    """

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    drop_after: int = -1
    """Send only so many bytes of the body, then close."""


@dataclass
class Server:
    """The script, and what was asked."""

    url: str = ""
    script: list[Answer] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """A server that gives the answers of `script` in order, the last one for ever."""
    held = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            held.requests.append(
                {
                    "method": self.command,
                    "path": self.path,
                    "headers": dict(self.headers),
                    "body": self.rfile.read(length),
                }
            )
            answer = held.script.pop(0) if len(held.script) > 1 else held.script[0]
            if answer.drop:
                self.close_connection = True
                return
            body = answer.body(held.requests) if callable(answer.body) else answer.body
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if answer.drop_after >= 0:
                body, self.close_connection = body[: answer.drop_after], True
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = do_PATCH = _any  # the names http.server calls

        def log_message(self, format: str, *args: Any) -> None:
            """Silent: pytest shows what matters."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    held.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield held
    finally:
        server.shutdown()
        server.server_close()
