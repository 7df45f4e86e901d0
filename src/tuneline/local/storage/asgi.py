"""Between ASGI messages and the requests and responses of this room."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import quote

from tuneline.local.resources.faults import Faults
from tuneline.local.storage.exchange import Disconnected, Request, Response, parse_query

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def request_of(scope: Scope, receive: Receive, faults: Faults | None) -> Request:
    """The request that a scope describes; its path is taken as it came, since names may hold escaped slashes."""
    raw = scope.get("raw_path") or quote(scope["path"]).encode()
    headers: dict[str, str] = {}
    for key, value in scope["headers"]:
        name = key.decode("latin-1").lower()
        try:
            text = value.decode()
        except UnicodeDecodeError:
            text = value.decode("latin-1")
        headers[name] = f"{headers[name]},{text}" if name in headers else text
    return Request(
        method=scope["method"],
        segments=raw.decode("latin-1").partition("?")[0].lstrip("/").split("/"),
        query=parse_query(scope["query_string"].decode("latin-1")),
        headers=headers,
        body=_body(receive),
        faults=faults,
        origin=f"{scope.get('scheme', 'http')}://{headers.get('host', '127.0.0.1')}",
    )


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        if piece := message.get("body"):
            yield piece
        if not message.get("more_body"):
            return


async def drain(request: Request) -> None:
    """Takes what is left of the body: clients read no answer before they have sent it all."""
    if "expect" not in request.headers:
        async for _ in request.body:
            pass


async def send_response(response: Response, method: str, send: Send) -> None:
    """Sends an answer, piece by piece where it is a stream."""
    headers = [(key.encode("latin-1"), _header(value)) for key, value in response.headers]
    if response.stream is None:
        told = any(key == "content-length" for key, _ in response.headers)
        if not told and method != "HEAD" and response.status not in (204, 304):
            headers.append((b"content-length", str(len(response.body)).encode()))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})
        return
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    async for piece in response.stream:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _header(value: str) -> bytes:
    """A header's value; what is not Latin-1 goes as its UTF-8 bytes, and line breaks are taken out."""
    return value.replace("\r", " ").replace("\n", " ").encode()
