"""Multipart uploads of the XML API: parts sent in any order and in parallel, joined at the end.

https://cloud.google.com/storage/docs/multipart-uploads. Parts are on disk when they are answered and survive a restart.
"""

from __future__ import annotations

import base64
import itertools
import re
import sqlite3
import time
import uuid
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import orjson

from tuneline.local.storage.conditions import Conditions
from tuneline.local.storage.errors import Refusal, invalid
from tuneline.local.storage.exchange import Request, Response, xml_response
from tuneline.local.storage.index import Transaction
from tuneline.local.storage.names import check_object
from tuneline.local.storage.store import Resource, Store, insert, stored, timestamp
from tuneline.local.storage.uploads import check_sums

MAX_PARTS = 10_000
_MAX_XML = 4 << 20
_XMLNS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


async def start(store: Store, request: Request, bucket: str, name: str, said: Resource) -> Response:
    """Begins an upload and gives its id."""
    await request.calling("storage.multipartUploads.create", f"gs://{bucket}/{name}")
    check_object(name)
    await request.read()
    store.bucket(bucket)
    upload = f"mpu-{uuid.uuid4().hex}"  # Node's client reads an id that looks like a number as one

    def step(tx: Transaction) -> None:
        statement = "INSERT INTO multiparts (id, bucket, name, request, created) VALUES (?, ?, ?, ?, ?)"
        tx.execute(statement, upload, bucket, name, stored(said), time.time())

    await store.index.write(step)
    return xml_response(
        f"<?xml version='1.0' encoding='UTF-8'?><InitiateMultipartUploadResult {_XMLNS}><Bucket>{bucket}</Bucket>"
        f"<Key>{escape(name)}</Key><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
    )


async def put_part(store: Store, request: Request, bucket: str, name: str) -> Response:
    """One part; sent again under the same number it replaces what was there."""
    upload = request.first("uploadId")
    number = request.number("partNumber") or 0
    await request.calling("storage.multipartUploads.uploadPart", f"gs://{bucket}/{name}")
    if not 1 <= number <= MAX_PARTS:
        raise invalid(f"partNumber must be 1 to {MAX_PARTS}, not {number}.", location="partNumber")
    _upload(store, bucket, name, upload)
    async with store.bodies.draft() as draft:
        async for piece in request.body:
            await draft.write(piece)
        await draft.settle()
        check_sums(draft.body(), {}, request.headers)
        body = await draft.finish()

    def step(tx: Transaction) -> Resource:
        if tx.one("SELECT 1 FROM multiparts WHERE id = ?", upload) is None:
            raise _no_upload(upload)
        old = tx.one("SELECT blob FROM parts WHERE upload = ? AND number = ?", upload, number)
        if old is not None:
            tx.freed.append(old["blob"])
        columns = "(upload, number, blob, size, md5, crc32c, modified)"
        statement = f"INSERT OR REPLACE INTO parts {columns} VALUES (?, ?, ?, ?, ?, ?, ?)"
        tx.execute(statement, upload, number, body.blob, body.size, body.md5, body.crc32c, timestamp(tx.tick()))
        return {}

    await store.commit(step, body)
    headers = [
        ("etag", f'"{_etag(body.md5)}"'),
        ("x-goog-hash", f"crc32c={body.crc32c},md5={body.md5}"),
    ]
    return Response(headers=headers)


async def complete(store: Store, request: Request, bucket: str, name: str, conditions: Conditions) -> Response:
    """Joins the parts that the body names, in their order, and ends the upload in the same step."""
    upload = request.first("uploadId")
    await request.calling("storage.multipartUploads.complete", f"gs://{bucket}/{name}")
    row = _upload(store, bucket, name, upload)
    wanted = _wanted(await request.read(_MAX_XML))
    held = {part["number"]: part for part in store.index.read("SELECT * FROM parts WHERE upload = ?", upload)}
    for number, etag in wanted:
        part = held.get(number)
        if part is None or etag not in ("", _etag(part["md5"])):
            raise Refusal(400, f"Part {number} was not uploaded, or has another ETag.", code="InvalidPart")
    store.precheck(bucket, name, conditions)
    async with store.bodies.draft(md5=False) as draft:
        try:
            await draft.append(store.bodies.path(held[number]["blob"]) for number, _ in wanted)
        except FileNotFoundError as error:
            raise Refusal(409, "A part was replaced while the upload was completed: try again.") from error
        body = await draft.finish()

    def step(tx: Transaction) -> Resource:
        if tx.one("SELECT 1 FROM multiparts WHERE id = ?", upload) is None:
            raise _no_upload(upload)
        _end(tx, upload)
        return insert(tx, bucket, name, orjson.loads(row["request"]), body, conditions)

    resource = await store.commit(step, body)
    return xml_response(
        f"<?xml version='1.0' encoding='UTF-8'?><CompleteMultipartUploadResult {_XMLNS}><Bucket>{bucket}</Bucket>"
        f'<Key>{escape(name)}</Key><ETag>"{resource["etag"]}"</ETag></CompleteMultipartUploadResult>',
        headers=[("x-goog-generation", resource["generation"]), ("x-goog-hash", f"crc32c={resource['crc32c']}")],
    )


async def abort(store: Store, request: Request, bucket: str, name: str) -> Response:
    """Ends an upload and removes its parts."""
    upload = request.first("uploadId")
    await request.calling("storage.multipartUploads.abort", f"gs://{bucket}/{name}")
    _upload(store, bucket, name, upload)
    await store.index.write(lambda tx: _end(tx, upload))
    return Response(status=204)


async def list_parts(store: Store, request: Request, bucket: str, name: str) -> Response:
    upload = request.first("uploadId")
    _upload(store, bucket, name, upload)
    limit, after = min(request.number("max-parts") or 1000, 1000), request.number("part-number-marker") or 0
    rows = store.index.read(
        "SELECT * FROM parts WHERE upload = ? AND number > ? ORDER BY number LIMIT ?", upload, after, limit + 1
    )
    parts = "".join(
        f"<Part><PartNumber>{row['number']}</PartNumber><LastModified>{row['modified']}</LastModified>"
        f'<ETag>"{_etag(row["md5"])}"</ETag><Size>{row["size"]}</Size></Part>'
        for row in rows[:limit]
    )
    more = len(rows) > limit
    marker = f"<NextPartNumberMarker>{rows[limit - 1]['number']}</NextPartNumberMarker>" if more else ""
    return xml_response(
        f"<?xml version='1.0' encoding='UTF-8'?><ListPartsResult {_XMLNS}><Bucket>{bucket}</Bucket>"
        f"<Key>{escape(name)}</Key><UploadId>{upload}</UploadId>{marker}"
        f"<IsTruncated>{str(more).lower()}</IsTruncated>{parts}</ListPartsResult>"
    )


async def list_uploads(store: Store, request: Request, bucket: str) -> Response:
    store.bucket(bucket)
    rows = store.index.read("SELECT id, name FROM multiparts WHERE bucket = ? ORDER BY name, id LIMIT 1000", bucket)
    uploads = "".join(
        f"<Upload><Key>{escape(row['name'])}</Key><UploadId>{row['id']}</UploadId></Upload>" for row in rows
    )
    return xml_response(
        f"<?xml version='1.0' encoding='UTF-8'?><ListMultipartUploadsResult {_XMLNS}><Bucket>{bucket}</Bucket>"
        f"<IsTruncated>false</IsTruncated>{uploads}</ListMultipartUploadsResult>"
    )


def _wanted(raw: bytes) -> list[tuple[int, str]]:
    """Numbers and ETags of a CompleteMultipartUpload body, in rising order."""
    if re.search(rb"<!(DOCTYPE|ENTITY)", raw, re.I):  # no entities: they could grow without bound
        raise Refusal(400, "The body may not have a document type.", code="MalformedXML")
    try:
        root = ElementTree.fromstring(raw)
        parts = [
            {child.tag.rpartition("}")[2]: (child.text or "").strip() for child in part}
            for part in root
            if part.tag.rpartition("}")[2] == "Part"
        ]
        wanted = [(int(part["PartNumber"]), part.get("ETag", "").strip('"')) for part in parts]
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise Refusal(
            400, f"The body is not a CompleteMultipartUpload document: {error}.", code="MalformedXML"
        ) from error
    numbers = [number for number, _ in wanted]
    if not wanted or len(wanted) > MAX_PARTS:
        raise Refusal(400, f"The body must name 1 to {MAX_PARTS} parts.", code="MalformedXML")
    if any(a >= b for a, b in itertools.pairwise(numbers)):
        raise Refusal(400, "The parts must be in rising order.", code="InvalidPartOrder")
    return wanted


def _upload(store: Store, bucket: str, name: str, upload: str) -> sqlite3.Row:
    row = store.index.one("SELECT * FROM multiparts WHERE id = ? AND bucket = ? AND name = ?", upload, bucket, name)
    if row is None:
        raise _no_upload(upload)
    return row


def _no_upload(upload: str) -> Refusal:
    return Refusal(404, f"The requested upload was not found: {upload[:64]}.", code="NoSuchUpload")


def _end(tx: Transaction, upload: str) -> None:
    tx.freed.extend(row["blob"] for row in tx.execute("SELECT blob FROM parts WHERE upload = ?", upload).fetchall())
    tx.execute("DELETE FROM parts WHERE upload = ?", upload)
    tx.execute("DELETE FROM multiparts WHERE id = ?", upload)


def _etag(md5: str) -> str:
    return base64.b64decode(md5).hex()
