"""The batch endpoint: up to 100 calls of the JSON API in one request, each answered as if it had come alone.

https://cloud.google.com/storage/docs/batch.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus

from tuneline.local.storage.errors import Refusal, invalid
from tuneline.local.storage.exchange import Request, Response, parse_query
from tuneline.local.storage.uploads import boundary_of

MAX_CALLS = 100
_MAX_BYTES = 10 << 20
_CALL = re.compile(r"(GET|DELETE|PATCH|POST|PUT) (\S+) HTTP/1\.[01]")


async def answer(request: Request, dispatch: Callable[[Request], Awaitable[Response]]) -> Response:
    """Runs the calls in their order; one that fails does not hold up the others."""
    boundary = boundary_of(request.headers.get("content-type", ""))
    raw = (await request.read(_MAX_BYTES)).replace(b"\r\n", b"\n")
    parts = re.split(rb"(?:^|\n)--" + re.escape(boundary) + rb"(?:--)?[ \t]*(?:\n|$)", raw)[1:-1]
    if len(parts) > MAX_CALLS:
        raise Refusal(
            400, f"The batch has {len(parts)} calls; at most {MAX_CALLS} are allowed.", reason="batchTooLarge"
        )
    mark = f"batch_{uuid.uuid4().hex}"
    out: list[bytes] = []
    for number, part in enumerate(parts):
        outer, _, inner = part.lstrip(b"\n").partition(b"\n\n")
        call = _call(request, inner)
        if call.first("alt") == "media" or call.segments[0] in ("upload", "download", "batch"):
            raise invalid("Contents of objects cannot be read or written in a batch, and batches not nested.")
        response = await dispatch(call)
        body = response.body
        lines = [
            f"--{mark}",
            "Content-Type: application/http",
            f"Content-ID: <response-{_headers(outer).get('content-id', str(number)).strip('<>')}>",
            "",
            f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase if response.status != 499 else 'Closed'}",
            *(f"{key}: {value}" for key, value in response.headers if key != "content-length"),
            f"Content-Length: {len(body)}",
            "",
            "",
        ]
        out.append("\r\n".join(lines).encode() + body + b"\r\n")
    out.append(f"--{mark}--\r\n".encode())
    return Response(headers=[("content-type", f"multipart/mixed; boundary={mark}")], body=b"".join(out))


def _call(request: Request, raw: bytes) -> Request:
    head, _, body = raw.partition(b"\n\n")
    line, _, headers = head.partition(b"\n")
    match = _CALL.fullmatch(line.decode("latin-1").strip())
    if match is None:
        raise invalid(f"A part of the batch does not begin with an HTTP request line: {line[:80]!r}.")
    path, _, query = re.sub(r"^https?://[^/]*", "", match[2]).partition("?")
    given = _headers(headers)
    length = given.get("content-length", "")
    return Request(
        method=match[1],
        segments=path.lstrip("/").split("/"),
        query=parse_query(query),
        headers=given,
        body=_once(body[: int(length)] if length.isdecimal() else body),
        origin=request.origin,
        faults=request.faults,
    )


async def _once(body: bytes) -> AsyncIterator[bytes]:
    if body:
        yield body


def _headers(raw: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in raw.decode("latin-1").split("\n") if ":" in line)
    return {key.strip().lower(): value.strip() for key, _, value in pairs}
