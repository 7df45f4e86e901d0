"""Objects in Cloud Storage."""

from __future__ import annotations

import functools
import io
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO

from tuneline import errors
from tuneline.google import rest, settings, wire
from tuneline.objects import checksums, uris
from tuneline.objects.info import ObjectInfo
from tuneline.objects.reader import CloudReader

if TYPE_CHECKING:
    from google.cloud import storage

_FIELDS = "bucket,name,size,crc32c,generation,timeCreated"
# Above this, an upload is worth resuming, and the official client worth its import.
LARGE = 8 << 20
# A copy inside the service goes on in calls of this many seconds at most.
_COPY_S = 600.0
# As long as this without an answer, and a large upload is given up.
OUTAGE_S = 120.0
# Custom metadata that tells a creator its own object from another's.
_MARK = "tuneline-writer"


def open_read(uri: str) -> BinaryIO:
    """The object as a stream; see `CloudReader`."""
    return io.BufferedReader(CloudReader(uri), checksums.BLOCK)


def write(uri: str, data: bytes, *, content_type: str = "", if_absent: bool = False) -> ObjectInfo:
    """Put the bytes there in one call; the service compares their checksum before the object appears.

    Raises:
        AlreadyExists: `if_absent`, and somebody else's object is there. An object of this call's own, whose answer was
            lost, is known again by the mark it carries.
    """
    bucket, name = uris.split(uri)
    kind = content_type or "application/octet-stream"
    mark = secrets.token_hex(16)
    meta: dict[str, Any] = {"name": name, "contentType": kind, "crc32c": checksums.crc32c([data])}
    params: dict[str, Any] = {"uploadType": "multipart", "fields": _FIELDS}
    if if_absent:
        meta["metadata"] = {_MARK: mark}
        params["ifGenerationMatch"] = 0
    try:
        answer = rest.exchange(
            "POST",
            "storage",
            f"/upload/storage/v1/b/{bucket}/o",
            data=_multipart(meta, data, boundary=mark),
            content_type=f"multipart/related; boundary={mark}",
            params=params,
        )
    except errors.AlreadyExists as refusal:
        there = _marked(bucket, name)
        if there is not None and (there.body.get("metadata") or {}).get(_MARK) == mark:
            return _info(there.body, there.server_time)
        raise errors.AlreadyExists(f"{uri} exists already", status=412, reason=refusal.reason) from refusal
    except errors.NotFound as error:
        raise errors.NotFound(f"{uri}: {error}", status=404, reason=error.reason) from error
    return _info(answer.body, answer.server_time)


def _marked(bucket: str, name: str) -> rest.Response | None:
    """The object with its custom metadata, or None where it has been deleted since."""
    try:
        return rest.exchange("GET", "storage", uris.object_path(bucket, name), params={"fields": _FIELDS + ",metadata"})
    except errors.NotFound:
        return None


def _multipart(meta: Mapping[str, Any], data: bytes, *, boundary: str) -> bytes:
    """`multipart/related` as the JSON API takes it: the metadata, then the bytes."""
    head = f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{json.dumps(meta)}\r\n"
    return (
        f"{head}--{boundary}\r\nContent-Type: {meta['contentType']}\r\n\r\n".encode()
        + data
        + (f"\r\n--{boundary}--\r\n".encode())
    )


def stat(uri: str) -> ObjectInfo:
    """What is known of the object, by one REST call: the official client hides the server's clock."""
    try:
        answer = rest.exchange("GET", "storage", uris.object_path(*uris.split(uri)), params={"fields": _FIELDS})
    except errors.NotFound as error:
        raise errors.NotFound(f"{uri}: {error}", status=404, reason=error.reason) from error
    return _info(answer.body, answer.server_time)


def delete(uri: str) -> None:
    """Remove the object."""
    try:
        rest.exchange("DELETE", "storage", uris.object_path(*uris.split(uri)))
    except errors.NotFound as error:
        raise errors.NotFound(f"{uri}: {error}", status=404, reason=error.reason) from error


def list_objects(prefix_uri: str) -> Iterator[ObjectInfo]:
    """The objects whose name begins with the prefix, in the order of their names' bytes."""
    bucket, prefix = uris.split(prefix_uri, prefix=True)
    params: dict[str, Any] = {"prefix": prefix, "fields": f"nextPageToken,items({_FIELDS})"}
    while True:
        try:
            page = rest.exchange("GET", "storage", f"/storage/v1/b/{bucket}/o", params=params)
        except errors.NotFound as error:
            raise errors.NotFound(f"{prefix_uri}: {error}", status=404, reason=error.reason) from error
        for item in page.body.get("items") or []:
            yield _info(item, page.server_time)
        token = page.body.get("nextPageToken")
        if not token:
            return
        params["pageToken"] = token


def copy(source: str, target: str) -> ObjectInfo:
    """Copy inside the service, however large and between whichever regions; nothing passes through here."""
    path = uris.object_path(*uris.split(source)) + "/rewriteTo"
    path += uris.object_path(*uris.split(target)).removeprefix("/storage/v1")
    params: dict[str, Any] = {}
    while True:
        answer = rest.exchange("POST", "storage", path, params=params, timeout_s=_COPY_S)
        if answer.body.get("done"):
            return _info(answer.body["resource"], answer.server_time)
        params["rewriteToken"] = answer.body["rewriteToken"]


def upload_file(path: str | os.PathLike[str], uri: str) -> ObjectInfo:
    """Upload a large file, resuming after a lost connection, and compare checksums."""
    import requests
    from google.api_core import exceptions
    from google.cloud.storage.exceptions import DataCorruption
    from google.cloud.storage.retry import DEFAULT_RETRY

    bucket, name = uris.split(uri)
    with open(path, "rb") as stream:
        expected = checksums.crc32c(checksums.blocks(stream))
    blob = client().bucket(bucket).blob(name)
    blob.crc32c = expected  # sent ahead, so that the service refuses damaged bytes
    try:
        blob.upload_from_filename(
            os.fspath(path), timeout=rest.TRY_S, retry=DEFAULT_RETRY.with_timeout(OUTAGE_S), checksum="crc32c"
        )
    except exceptions.RetryError as error:
        raise errors.Unavailable(f"no answer: {error.cause or error} (upload to {uri})") from error
    except (requests.RequestException, DataCorruption) as error:
        raise errors.Unavailable(f"the upload broke off: {error} (upload to {uri})") from error
    except exceptions.GoogleAPICallError as error:
        kind = wire.error_type(int(error.code or 0))
        raise kind(f"{error.message} (upload to {uri})", status=int(error.code or 0)) from error
    found = stat(uri)
    if found.crc32c != expected:
        raise errors.ServiceError(f"{uri}: uploaded bytes have the checksum {found.crc32c}, the file has {expected}")
    return found


def client() -> storage.Client:
    """The official client, made on first use and once a process and address."""
    return _client(settings.storage_url())


@functools.cache
def _client(address: str | None) -> storage.Client:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    if address is None:
        return storage.Client()
    return storage.Client(
        project=settings.project() or "tuneline-local",
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": address},
    )


def _info(item: Mapping[str, Any], server_time: datetime | None) -> ObjectInfo:
    created = datetime.fromisoformat(item["timeCreated"]).astimezone(UTC)
    return ObjectInfo(
        uri=f"gs://{item['bucket']}/{item['name']}",
        size=int(item.get("size", 0)),
        crc32c=item.get("crc32c", ""),
        generation=int(item["generation"]),
        created=created,
        # No Date at all (a broken proxy): an age of zero makes the ledger wait, which is the safe side.
        server_time=server_time or created,
    )
