"""Uploads by an HTML form with a signed policy document: POST on a bucket.

https://cloud.google.com/storage/docs/xml-api/post-object-forms. The policy's conditions and its end are checked; its
signature cannot be, as with signed URLs.
"""

from __future__ import annotations

import base64
import datetime
import json
import re
from collections.abc import AsyncIterator
from typing import Any

from tuneline.local.storage.conditions import Conditions
from tuneline.local.storage.errors import Refusal, invalid
from tuneline.local.storage.exchange import Request, Response, xml_response
from tuneline.local.storage.names import check_object
from tuneline.local.storage.store import Resource, Store
from tuneline.local.storage.uploads import Multipart, boundary_of, check_sums

_MAX_FIELD = 64 * 1024
_MAX_FIELDS = 100
_NAME = re.compile(r'name="([^"]*)"')
_FILE_NAME = re.compile(r'filename="([^"]*)"')
_SAID = {
    "content-type": "contentType",
    "cache-control": "cacheControl",
    "content-disposition": "contentDisposition",
    "content-encoding": "contentEncoding",
    "x-goog-custom-time": "customTime",
}
_FREE = {"x-goog-signature", "file", "policy", "bucket"}
"""Fields that no condition needs to name."""


async def receive(store: Store, request: Request, bucket: str) -> Response:
    """Stores the form's file under its `key`; every other field must meet the policy."""
    reader = Multipart(request.body, boundary_of(request.headers.get("content-type", "")))
    fields: dict[str, str] = {"bucket": bucket}
    while True:
        head = await reader.headers()
        disposition = head.get("content-disposition", "")
        name = _NAME.search(disposition)
        if name is None:
            raise invalid("A part of the form has no name in its Content-Disposition.")
        if name[1].lower() == "file":
            break
        value = b"".join([piece async for piece in reader.content(limit=_MAX_FIELD)])
        fields[name[1].lower()] = value.decode("utf-8", "replace")
        if len(fields) > _MAX_FIELDS:
            raise invalid(f"The form has more than {_MAX_FIELDS} fields.")
    file_name = _FILE_NAME.search(disposition)
    key = fields.get("key", "").replace("${filename}", file_name[1] if file_name else "")
    await request.calling("storage.objects.insert", f"gs://{bucket}/{key}")
    check_object(key)
    least, most = _check(fields)
    store.bucket(bucket)
    async with store.bodies.draft() as draft:
        size = 0
        async for piece in _up_to(reader.content(), most):
            size += len(piece)
            await draft.write(piece)
        if size < least:
            raise Refusal(400, f"The file has {size} bytes; the policy wants {least}.", code="EntityTooSmall")
        await draft.settle()
        check_sums(draft.body(), {}, {"content-md5": fields.get("content-md5", "")})
        body = await draft.finish()
    resource = await store.insert(bucket, key, _said(fields, head), body, Conditions())
    return _answer(fields, resource)


def _check(fields: dict[str, str]) -> tuple[int, int | None]:
    """The sizes that the policy allows; raises where a field breaks it. A form without a policy is anyone's."""
    if not fields.get("policy"):
        return 0, None
    try:
        policy = json.loads(base64.b64decode(fields["policy"]))
        ends = datetime.datetime.fromisoformat(policy["expiration"])
        conditions = [_condition(each) for each in policy["conditions"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refusal(400, f"The policy document cannot be read: {error}.", code="InvalidPolicyDocument") from error
    if ends.tzinfo is None:
        ends = ends.replace(tzinfo=datetime.UTC)
    if datetime.datetime.now(datetime.UTC) > ends:
        raise Refusal(400, f"The policy expired at {ends.isoformat()}.", code="ExpiredToken")
    least, most = 0, None
    named = set()
    for how, field, value in conditions:
        if how == "content-length-range":
            least, most = int(field), int(value)
            continue
        named.add(field)
        given = fields.get(field, "")
        if not (given == value if how == "eq" else given.startswith(value)):
            raise _denied(f"does not allow {field}='{given[:80]}' ({how} '{value}')")
    loose = {field for field in fields if not field.startswith("x-ignore-")} - named - _FREE
    if loose:
        raise _denied(f"does not name these fields: {', '.join(sorted(loose))}")
    return least, most


def _denied(what: str) -> Refusal:
    return Refusal(403, f"The policy {what}.", code="AccessDenied")


def _condition(given: Any) -> tuple[str, str, str]:
    """One condition as (how, field, value); an object `{"field": "value"}` means equal."""
    if isinstance(given, dict):
        [(field, value)] = given.items()
        return "eq", field.lower(), str(value)
    how, field, value = given
    if how not in ("eq", "starts-with", "content-length-range"):
        raise ValueError(f"no condition is called {how!r}")
    return how, str(field).removeprefix("$").lower(), str(value)


async def _up_to(pieces: AsyncIterator[bytes], most: int | None) -> AsyncIterator[bytes]:
    size = 0
    async for piece in pieces:
        size += len(piece)
        if most is not None and size > most:
            raise Refusal(
                400, f"The file is larger than the {most} bytes that the policy allows.", code="EntityTooLarge"
            )
        yield piece


def _said(fields: dict[str, str], head: dict[str, str]) -> Resource:
    said: Resource = {to: fields[name] for name, to in _SAID.items() if name in fields}
    said.setdefault("contentType", head.get("content-type", "application/octet-stream"))
    prefix = "x-goog-meta-"
    custom = {name.removeprefix(prefix): value for name, value in fields.items() if name.startswith(prefix)}
    return said | ({"metadata": custom} if custom else {})


def _answer(fields: dict[str, str], resource: Resource) -> Response:
    if fields.get("success_action_redirect"):
        return Response(status=303, headers=[("location", fields["success_action_redirect"])])
    if fields.get("success_action_status") == "201":
        response = xml_response(f"<PostResponse><Bucket>{resource['bucket']}</Bucket></PostResponse>")
        response.status = 201
        return response
    return Response(status=200 if fields.get("success_action_status") == "200" else 204)
