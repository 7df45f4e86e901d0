"""Contents of objects going out: whole, by range, or unpacked where the client takes no gzip.

https://cloud.google.com/storage/docs/transcoding and RFC 9110, section 14, of which single ranges are served.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import AsyncIterator
from datetime import datetime
from email.utils import format_datetime

from tuneline.local.storage.bodies import PIECE, read
from tuneline.local.storage.conditions import Conditions
from tuneline.local.storage.errors import Refusal
from tuneline.local.storage.exchange import Headers, Request, Response
from tuneline.local.storage.store import Resource, Store

_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.I)
_SMALL = 64 * 1024


async def content(store: Store, request: Request, bucket: str, name: str, conditions: Conditions) -> Response:
    """The object's bytes; HEAD gives the same headers without them."""
    await request.calling("storage.objects.get", f"gs://{bucket}/{name}", write=False)
    resource, file = store.open(bucket, name, request.number("generation"))
    try:
        conditions.check(resource, reading=True)
        headers = _headers(resource | _asked(request))
        size = int(resource["size"])
        packed = resource.get("contentEncoding", "").lower() == "gzip"
        takes_gzip = "gzip" in request.headers.get("accept-encoding", "").lower()
        fixed = "no-transform" in resource.get("cacheControl", "").lower()
        if packed and not takes_gzip and not fixed:
            headers.append(("warning", '214 UploadServer "gunzipped"'))
            if request.method == "HEAD":
                os.close(file)
                return Response(headers=headers)
            return Response(headers=headers, stream=_unpack(read(store.bodies, file, 0, size)))
        if packed:
            headers.append(("content-encoding", resource["contentEncoding"]))
        start, length, status = _span(request.headers.get("range", ""), size)
    except BaseException:
        os.close(file)
        raise
    headers.append(("content-length", str(length)))
    if status == 206:
        headers.append(("content-range", f"bytes {start}-{start + length - 1}/{size}"))
    if request.method == "HEAD" or length <= _SMALL:
        body = b"" if request.method == "HEAD" else os.pread(file, length, start)
        os.close(file)
        return Response(status=status, headers=headers, body=body)
    return Response(status=status, headers=headers, stream=read(store.bodies, file, start, length))


def _span(header: str, size: int) -> tuple[int, int, int]:
    """First byte, number of bytes and status that a Range header asks of `size` bytes; 416 where there are none."""
    match = _RANGE.fullmatch(header.strip().replace(" ", ""))
    if not header or match is None or not (match[1] or match[2]):
        return 0, size, 200  # what is not a single byte range is ignored, as RFC 9110 has it
    first, last = match[1], match[2]
    if first and last and int(first) > int(last):
        return 0, size, 200
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last), size - 1) if first and last else size - 1
    if start >= size or (not first and int(last) == 0):
        raise Refusal(416, f"The requested range cannot be satisfied: '{header[:60]}' of {size} bytes.")
    return start, end - start + 1, 206


def _asked(request: Request) -> dict[str, str]:
    """What a signed URL may want the answer to say instead of what is stored."""
    asked = {
        "contentType": request.first("response-content-type"),
        "contentDisposition": request.first("response-content-disposition"),
    }
    return {field: value for field, value in asked.items() if value}


def _headers(resource: Resource) -> Headers:
    hashes = [f"crc32c={resource['crc32c']}", *([f"md5={resource['md5Hash']}"] if "md5Hash" in resource else [])]
    updated = format_datetime(datetime.fromisoformat(resource["updated"]), usegmt=True)
    headers = [
        ("content-type", resource.get("contentType", "application/octet-stream")),
        ("accept-ranges", "bytes"),
        ("etag", f'"{resource["etag"]}"'),
        ("last-modified", updated),
        ("x-goog-generation", resource["generation"]),
        ("x-goog-metageneration", resource["metageneration"]),
        ("x-goog-storage-class", resource["storageClass"]),
        ("x-goog-stored-content-encoding", resource.get("contentEncoding", "identity")),
        ("x-goog-stored-content-length", resource["size"]),
        ("x-goog-hash", ",".join(hashes)),  # in one header: the Python client does not split at ", "
        *((f"x-goog-meta-{key}", value) for key, value in resource.get("metadata", {}).items()),
    ]
    for field, header in _SAME.items():
        if field in resource:
            headers.append((header, resource[field]))
    return headers


_SAME = {
    "cacheControl": "cache-control",
    "contentDisposition": "content-disposition",
    "contentLanguage": "content-language",
}


async def _unpack(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Gzip undone with at most a piece in memory, however well it was packed."""
    unpacker = zlib.decompressobj(wbits=31)
    async for packed in pieces:
        while packed:
            if piece := unpacker.decompress(packed, PIECE):
                yield piece
            packed = unpacker.unconsumed_tail
            if unpacker.eof and unpacker.unused_data:  # several members one after the other
                packed, unpacker = unpacker.unused_data, zlib.decompressobj(wbits=31)
