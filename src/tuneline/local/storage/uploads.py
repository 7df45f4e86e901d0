"""Uploads of the JSON API in one request: media and multipart, streamed to disk.

https://cloud.google.com/storage/docs/uploads-downloads. Resumable uploads are in `sessions`.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

from tuneline.local.storage.bodies import Body
from tuneline.local.storage.conditions import of_query
from tuneline.local.storage.errors import Refusal, invalid
from tuneline.local.storage.exchange import Request, Response, json_response, parse_object
from tuneline.local.storage.names import MAX_JSON_BYTES, check_object, check_types
from tuneline.local.storage.store import Resource, Store

_BOUNDARY = re.compile(r"""boundary=(?:"([^"]{1,200})"|'([^']{1,200})'|([^;\s]{1,200}))""", re.I)
_HASH = re.compile(r"(crc32c|md5)=([A-Za-z0-9+/=]+)")


async def media(store: Store, request: Request, bucket: str) -> Response:
    """`uploadType=media`: the body is the object, and only its name and type are said."""
    return await _upload(store, request, bucket, {}, request.headers.get("content-type", ""), request.body)


async def multipart(store: Store, request: Request, bucket: str) -> Response:
    """`uploadType=multipart`: metadata as JSON, then the object, in one body of two parts."""
    reader = Multipart(request.body, boundary_of(request.headers.get("content-type", "")))
    await reader.headers()
    said = parse_object(b"".join([piece async for piece in reader.content(limit=MAX_JSON_BYTES)]))
    part = await reader.headers()
    return await _upload(store, request, bucket, said, part.get("content-type", ""), reader.content())


async def _upload(
    store: Store, request: Request, bucket: str, said: Resource, content_type: str, content: AsyncIterator[bytes]
) -> Response:
    told = described(request, said, content_type)
    name = told.get("name")
    await request.calling("storage.objects.insert", f"gs://{bucket}/{name}")
    check_object(name)
    conditions = of_query(request)
    store.precheck(bucket, name, conditions)
    async with store.bodies.draft() as draft:
        async for piece in content:
            await draft.write(piece)
        await draft.settle()
        check_sums(draft.body(), told, request.headers)
        body = await draft.finish()
    return json_response(await store.insert(bucket, name, told, body, conditions))


def described(request: Request, said: Mapping[str, Any], content_type: str) -> Resource:
    """What a caller said of an object in its metadata, its parameters and its headers: in this order of weight."""
    check_types(said)
    told = dict(said)
    told["name"] = said.get("name") or request.first("name")
    told["contentType"] = said.get("contentType") or content_type or "application/octet-stream"
    for key in ("contentEncoding", "kmsKeyName"):
        if request.first(key):
            told.setdefault(key, request.first(key))
    return told


def check_sums(body: Body, said: Mapping[str, Any], headers: Mapping[str, str]) -> None:
    """Refuses a body whose crc32c or md5 is not the one that the caller computed."""
    told = dict(_HASH.findall(headers.get("x-goog-hash", "")))
    claims = [
        ("CRC32C", body.crc32c, said.get("crc32c")),
        ("CRC32C", body.crc32c, told.get("crc32c")),
        ("MD5", body.md5, said.get("md5Hash")),
        ("MD5", body.md5, told.get("md5")),
        ("MD5", body.md5, headers.get("content-md5")),
    ]
    for kind, ours, theirs in claims:
        if theirs and ours and theirs != ours:
            raise Refusal(
                400,
                f'Provided {kind} hash "{theirs}" doesn\'t match calculated {kind} hash "{ours}".',
                code="BadDigest",
            )


def boundary_of(content_type: str) -> bytes:
    match = _BOUNDARY.search(content_type)
    if not content_type.lower().startswith("multipart/") or match is None:
        raise invalid("A multipart upload needs Content-Type: multipart/related; boundary=...")
    return (match[1] or match[2] or match[3]).encode("latin-1")


class Multipart:
    """Reads the parts of a multipart body one after the other, holding no more than a piece."""

    def __init__(self, body: AsyncIterator[bytes], boundary: bytes) -> None:
        self._body = body
        self._mark = b"\r\n--" + boundary
        self._held = b"\r\n"  # so that the first boundary is found like the others
        self._started = False

    async def headers(self) -> dict[str, str]:
        """Goes on to the next part and gives its headers, in lower case; refuses a body that has no further part."""
        if not self._started:
            self._started = True
            async for _ in self.content(limit=MAX_JSON_BYTES):
                pass
        # Either CRLF before headers, or "--" after the last part.
        while b"\r\n\r\n" not in self._held and len(self._held) < 16 * 1024 and not self._held.startswith(b"--"):
            await self._more()
        head, blank, rest = self._held.partition(b"\r\n\r\n")
        if not blank or self._held.startswith(b"--"):
            raise invalid("The multipart body has fewer parts than it should, or no blank line after a part's headers.")
        self._held = rest
        lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines if ":" in line)
        return {key.strip().lower(): value.strip() for key, _, value in pairs}

    async def content(self, limit: int | None = None) -> AsyncIterator[bytes]:
        """The rest of this part."""
        given = 0
        while True:
            at = self._held.find(self._mark)
            end = at if at >= 0 else max(0, len(self._held) - len(self._mark))
            piece, self._held = self._held[:end], self._held[end:]
            given += len(piece)
            if limit is not None and given > limit:
                raise Refusal(413, f"The metadata part is larger than the {limit} bytes allowed.")
            if piece:
                yield piece
            if at >= 0:
                self._held = self._held[len(self._mark) :]
                return
            await self._more()

    async def _more(self) -> None:
        try:
            self._held += await anext(self._body)
        except StopAsyncIteration:
            raise invalid("The multipart body ended before its closing boundary.") from None
