"""One request and its answer, apart from ASGI: what every handler of the object store takes and gives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson

from tuneline.local.resources.faults import Fault, Faults
from tuneline.local.storage.errors import Refusal, invalid
from tuneline.local.storage.names import MAX_JSON_BYTES

Headers = list[tuple[str, str]]


class Disconnected(Exception):
    """The client went away before its body was complete."""


@dataclass(kw_only=True)
class Request:
    """A request as it came: `segments` are the parts of the raw path, still percent-encoded."""

    method: str
    segments: list[str]
    query: dict[str, list[str]]
    headers: Mapping[str, str]
    """Lower-case names."""
    body: AsyncIterator[bytes]
    origin: str
    """Scheme and host that the client used, e.g. `http://127.0.0.1:8080`: session URIs begin with it."""
    faults: Faults | None = None
    called: str = ""
    """The API method's name, for the call log; empty for reads."""
    resource: str = ""
    fault: Fault | None = None
    """One that cuts the connection after the effect."""

    def first(self, name: str, default: str = "") -> str:
        return self.query.get(name, [default])[0]

    def flag(self, name: str) -> bool:
        return self.first(name).lower() in ("true", "1")

    def number(self, name: str) -> int | None:
        """A query parameter as an integer of 64 bits; None if it is not given."""
        text = self.first(name)
        if not text:
            return None
        try:
            value = int(text)
        except ValueError:
            value = 1 << 64
        if not -(1 << 63) <= value < 1 << 63:
            raise invalid(f"Invalid value for {name}: '{text[:40]}' is not a 64-bit integer.", location=name)
        return value

    async def calling(self, method: str, resource: str, *, write: bool = True) -> None:
        """Notes what this request is about to do, so that the call log names it whether it succeeds or not.

        A fault that waits for such a call strikes here: ApiError, Dropped, or a delay.
        """
        if write:
            self.called, self.resource = method, resource
        if self.faults is not None:
            self.fault = await self.faults.before(method)

    async def read(self, limit: int = MAX_JSON_BYTES) -> bytes:
        """The whole body; refuses one larger than `limit` bytes."""
        parts: list[bytes] = []
        size = 0
        async for part in self.body:
            size += len(part)
            if size > limit:
                raise Refusal(413, f"The request's body is larger than the {limit} bytes allowed here.")
            parts.append(part)
        return b"".join(parts)

    async def json(self) -> dict[str, Any]:
        """The body as a JSON object; an empty body is an empty object."""
        return parse_object(await self.read())


@dataclass(kw_only=True)
class Response:
    """An answer: a body in one piece, or streamed (then `Content-Length` is the handler's to give)."""

    status: int = 200
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    stream: AsyncIterator[bytes] | None = None


def parse_object(raw: bytes) -> dict[str, Any]:
    """JSON text of an object, read strictly."""
    if not raw.strip():
        return {}
    try:
        value = orjson.loads(raw)
    except ValueError as error:
        raise Refusal(400, f"Parse Error: the body is not JSON ({error}).", reason="parseError") from error
    if not isinstance(value, dict):
        raise Refusal(400, "Parse Error: the body must be a JSON object.", reason="parseError")
    return value


def json_response(value: object, *, status: int = 200, headers: Headers | None = None) -> Response:
    body = orjson.dumps(value)
    return Response(
        status=status, headers=[("content-type", "application/json; charset=UTF-8"), *(headers or [])], body=body
    )


def xml_response(text: str, *, headers: Headers | None = None) -> Response:
    """An XML document; `text/xml`, since Node's client reads text only by that kind of type."""
    return Response(headers=[("content-type", "text/xml; charset=UTF-8"), *(headers or [])], body=text.encode())


def parse_query(raw: str) -> dict[str, list[str]]:
    """Parameters as text; refuses what is not UTF-8, and more than anyone needs."""
    query: dict[str, list[str]] = {}
    try:
        for key, value in parse_qsl(raw, keep_blank_values=True, max_num_fields=1000, errors="strict"):
            query.setdefault(key, []).append(value)
    except ValueError as error:
        raise invalid(f"The query cannot be read: {error}.") from error
    return query


def decode(segment: str) -> str:
    """One segment of a path as text; refuses what is not UTF-8."""
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError as error:
        raise invalid("The path is not percent-encoded UTF-8.") from error
