"""The few things every HTTP answer here needs: reading a body with a limit, sending JSON, sending bytes."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

import orjson

from tuneline.local.resources.errors import ApiError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LARGEST_BODY = 64 << 20
"""API bodies are pipeline specs at most; objects have their own way in."""


class Gone(Exception):
    """The client closed the connection before its request was whole."""


def headers_of(scope: Scope) -> dict[str, str]:
    """The request's headers by lower-case name."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


async def read_body(receive: Receive, encoding: str = "") -> bytes:
    """The whole body, unpacked if gzip; raises ApiError above 64 MiB."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        part = message.get("body", b"")
        size += len(part)
        if size > LARGEST_BODY:
            raise ApiError("INVALID_ARGUMENT", f"Request payload size exceeds the limit: {LARGEST_BODY} bytes.")
        parts.append(part)
        if not message.get("more_body"):
            break
    body = b"".join(parts)
    if encoding != "gzip":
        return body
    unpack = zlib.decompressobj(wbits=31)
    try:
        plain = unpack.decompress(body, LARGEST_BODY)
    except zlib.error as error:
        raise ApiError("INVALID_ARGUMENT", f"The body is not gzip, as its header says: {error}") from None
    if unpack.unconsumed_tail:
        raise ApiError("INVALID_ARGUMENT", f"Request payload size exceeds the limit: {LARGEST_BODY} bytes.")
    return plain


async def send_bytes(
    send: Send,
    status: int,
    body: bytes,
    content_type: str,
    extra: Iterable[tuple[bytes, bytes]] = (),
    *,
    head: bool = False,
) -> None:
    """One whole answer; `head` sends the headers alone."""
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode()), *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else body})


def encode(value: Any, *, pretty: bool = True) -> bytes:
    """JSON as Google writes it: two spaces, a newline at the end."""
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE | (orjson.OPT_INDENT_2 if pretty else 0))


async def send_json(send: Send, status: int, value: Any, extra: Iterable[tuple[bytes, bytes]] = ()) -> None:
    """One JSON answer."""
    await send_bytes(send, status, encode(value), "application/json; charset=UTF-8", extra)


async def send_error(send: Send, error: ApiError) -> None:
    """A refusal as REST has it."""
    extra = [] if error.retry_s is None else [(b"retry-after", str(max(1, round(error.retry_s))).encode())]
    await send_json(send, error.http, error.to_json(), extra)
