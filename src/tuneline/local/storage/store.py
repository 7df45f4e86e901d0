"""The store: bodies and index together, and the few steps on objects from which every request is made."""

from __future__ import annotations

import asyncio
import base64
import copy
import datetime
import os
import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from tuneline.local.storage import retention
from tuneline.local.storage.bodies import Bodies, Body
from tuneline.local.storage.conditions import Conditions
from tuneline.local.storage.errors import no_bucket, no_object
from tuneline.local.storage.index import Index, Transaction
from tuneline.local.storage.names import check_metadata, check_types

Resource = dict[str, Any]

EDITABLE = (
    "acl",
    "cacheControl",
    "contentDisposition",
    "contentEncoding",
    "contentLanguage",
    "contentType",
    "contexts",
    "customTime",
    "eventBasedHold",
    "kmsKeyName",
    "metadata",
    "retention",
    "storageClass",
    "temporaryHold",
)
"""What a caller may say about an object; everything else is the store's own."""

DEFAULT_CLASS = "STANDARD"
_SESSION_DAYS = 7
"""How long an upload may be gone on with."""


class Store:
    """All state below `root`; opening it sweeps what a crash left behind."""

    def __init__(self, root: Path, *, project_number: Callable[[str], str]) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.project_number = project_number
        self.bodies = Bodies(root)
        self.index = Index(root / "index.sqlite", free=self.bodies.free_later)
        forgotten = time.time() - _SESSION_DAYS * 86400
        self.index.submit(lambda tx: tx.execute("DELETE FROM uploads WHERE created < ?", forgotten)).result()
        named = {row["blob"] for row in self.index.read("SELECT blob FROM objects UNION ALL SELECT blob FROM parts")}
        unfinished = {row["id"] for row in self.index.read("SELECT id FROM uploads WHERE result IS NULL")}
        self.bodies.sweep(named, unfinished)

    def close(self) -> None:
        self.index.close()
        self.bodies.close()

    def bucket(self, name: str) -> Resource:
        """The bucket's resource; 404 if there is none."""
        row = self.index.one("SELECT resource FROM buckets WHERE name = ?", name)
        if row is None:
            raise no_bucket(name)
        return loaded(row)

    def find(self, bucket: str, name: str, generation: int | None = None) -> sqlite3.Row:
        """The row of the live object, or of one generation; 404 if there is none."""
        row = self.index.one(*_query_of(bucket, name, generation))
        if row is None:
            self.bucket(bucket)
            raise no_object(bucket, name)
        return row

    def precheck(self, bucket: str, name: str, conditions: Conditions) -> None:
        """Refuses early what the write would refuse later, so that a large body is not sent in vain."""
        self.bucket(bucket)
        row = self.index.one(*_query_of(bucket, name, None))
        conditions.check(loaded(row) if row else None)

    def open(self, bucket: str, name: str, generation: int | None = None) -> tuple[Resource, int]:
        """The object as it is now and its open file, which stays readable when the object is replaced."""
        while True:
            row = self.find(bucket, name, generation)
            try:
                return loaded(row), os.open(self.bodies.path(row["blob"]), os.O_RDONLY)
            except FileNotFoundError:
                # Replaced between the two looks; a row that still names a missing file is damage.
                again = self.find(bucket, name, generation)
                if again["blob"] == row["blob"]:
                    raise

    async def insert(
        self, bucket: str, name: str, said: Mapping[str, Any], body: Body, conditions: Conditions, **own: Any
    ) -> Resource:
        """Stores a complete body as the live object, if the conditions hold at that moment."""
        return await self.commit(lambda tx: insert(tx, bucket, name, said, body, conditions, **own), body)

    async def commit(self, change: Callable[[Transaction], Resource], body: Body) -> Resource:
        """Writes a change that names `body`; if it is refused the body is removed.

        That is decided by the change's own end: a caller that is cancelled meanwhile neither undoes it nor takes the
        body away from under it.
        """
        future = self.index.submit(change)
        future.add_done_callback(lambda ended: self.bodies.free_later([body.blob]) if ended.exception() else None)
        return await asyncio.wrap_future(future)


def insert(
    tx: Transaction, bucket: str, name: str, said: Mapping[str, Any], body: Body, conditions: Conditions, **own: Any
) -> Resource:
    """The step of `Store.insert` within a transaction; `own` are fields that the store adds."""
    home = bucket_of(tx, bucket)
    current = tx.one(*_query_of(bucket, name, None))
    conditions.check(loaded(current) if current else None)
    if current is not None:
        retire(tx, home, current)
    generation = tx.tick()
    resource = _resource(home, name, said, body, generation) | own
    statement = "INSERT INTO objects (bucket, name, generation, live, blob, resource) VALUES (?, ?, ?, 1, ?, ?)"
    tx.execute(statement, bucket, name, generation, body.blob, stored(resource))
    return resource


def retire(tx: Transaction, bucket: Resource, row: sqlite3.Row, *, forever: bool = False) -> None:
    """Takes an object away: to a noncurrent version where the bucket keeps versions, else (or `forever`) for good."""
    resource = loaded(row)
    key = (row["bucket"], row["name"], row["generation"])
    retention.check_free(bucket, resource)
    if bucket.get("versioning", {}).get("enabled") and not forever:
        resource["timeDeleted"] = timestamp(tx.tick())
        statement = "UPDATE objects SET live = 0, resource = ? WHERE bucket = ? AND name = ? AND generation = ?"
        tx.execute(statement, stored(resource), *key)
        return
    tx.execute("DELETE FROM objects WHERE bucket = ? AND name = ? AND generation = ?", *key)
    tx.freed.append(row["blob"])


def current(tx: Transaction, bucket: str, name: str, generation: int | None = None) -> sqlite3.Row:
    """`Store.find` within a transaction."""
    row = tx.one(*_query_of(bucket, name, generation))
    if row is None:
        if tx.one("SELECT 1 FROM buckets WHERE name = ?", bucket) is None:
            raise no_bucket(bucket)
        raise no_object(bucket, name)
    return row


def replace(tx: Transaction, row: sqlite3.Row, resource: Resource) -> Resource:
    """Writes an object's changed metadata: one metageneration more."""
    generation = row["generation"]
    resource["metageneration"] = str(int(resource["metageneration"]) + 1)
    resource["updated"] = timestamp(tx.tick())
    resource["etag"] = etag(generation, resource["metageneration"])
    statement = "UPDATE objects SET resource = ? WHERE bucket = ? AND name = ? AND generation = ?"
    tx.execute(statement, stored(resource), row["bucket"], row["name"], generation)
    return resource


def bucket_of(tx: Transaction, name: str) -> Resource:
    """`Store.bucket` within a transaction."""
    row = tx.one("SELECT resource FROM buckets WHERE name = ?", name)
    if row is None:
        raise no_bucket(name)
    return loaded(row)


def save_bucket(tx: Transaction, resource: Resource) -> Resource:
    """Writes a bucket's changed resource: one metageneration more."""
    name = resource["name"]
    resource["metageneration"] = str(int(resource["metageneration"]) + 1)
    resource["updated"] = timestamp(tx.tick())
    resource["etag"] = etag(name, resource["metageneration"])
    tx.execute("UPDATE buckets SET resource = ? WHERE name = ?", stored(resource), name)
    return resource


def loaded(row: sqlite3.Row) -> Resource:
    resource: Resource = orjson.loads(row["resource"])
    return resource


def stored(value: object) -> str:
    """A value as it stands in the index."""
    return orjson.dumps(value).decode()


def edited(bucket: Resource, resource: Resource, said: Mapping[str, Any], *, whole: bool = False) -> Resource:
    """The resource with what a caller says: null takes a field away, or back to what the bucket has for all its
    objects; `metadata` is merged; `whole` replaces all."""
    check_types(said)
    retention.check_said(said)
    result = copy.deepcopy(resource)
    defaults = {"storageClass": bucket.get("storageClass", DEFAULT_CLASS)}
    if whole:
        kept = ("storageClass", "contentType", "acl", "kmsKeyName")
        for key in EDITABLE:
            if key not in said and key not in kept:
                result.pop(key, None)
        if "metadata" in said:
            result.pop("metadata", None)
    for key in EDITABLE:
        if key not in said:
            continue
        value = said[key]
        if key == "metadata" and isinstance(value, dict):
            merged = {**result.get("metadata", {}), **value}
            value = check_metadata({k: v for k, v in merged.items() if v is not None}) or None
        value = defaults.get(key) if value is None else value
        if value is None:
            result.pop(key, None)
        else:
            result[key] = value
    return result


def timestamp(microseconds: int) -> str:
    """RFC 3339 with milliseconds, as Cloud Storage writes times."""
    moment = datetime.datetime.fromtimestamp(microseconds // 1000 / 1000, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def etag(generation: object, metageneration: object) -> str:
    return base64.b64encode(f"{generation}/{metageneration}".encode()).decode()


def _query_of(bucket: str, name: str, generation: int | None) -> tuple[Any, ...]:
    select = "SELECT bucket, name, generation, live, blob, resource FROM objects WHERE bucket = ? AND name = ?"
    if generation is None:
        return (f"{select} AND live = 1", bucket, name)
    return (f"{select} AND generation = ?", bucket, name, generation)


def _resource(bucket: Resource, name: str, said: Mapping[str, Any], body: Body, generation: int) -> Resource:
    now = timestamp(generation)
    resource = edited(bucket, {}, {"storageClass": None, **said})
    resource |= {
        "kind": "storage#object",
        "id": f"{bucket['name']}/{name}/{generation}",
        "name": name,
        "bucket": bucket["name"],
        "generation": str(generation),
        "metageneration": "1",
        "size": str(body.size),
        "crc32c": body.crc32c,
        "etag": etag(generation, 1),
        "timeCreated": now,
        "updated": now,
        "timeFinalized": now,
        "timeStorageClassUpdated": now,
    }
    if body.md5:
        resource["md5Hash"] = body.md5
    if bucket.get("defaultEventBasedHold"):
        resource.setdefault("eventBasedHold", True)
    return resource
