"""Buckets: create, get, list, patch, update, delete, and their policies."""

from __future__ import annotations

import base64
import sqlite3
from typing import Any

import orjson

from tuneline.local.storage import retention
from tuneline.local.storage.conditions import of_query
from tuneline.local.storage.errors import Refusal, invalid, no_bucket
from tuneline.local.storage.exchange import Request, Response, json_response
from tuneline.local.storage.index import Transaction
from tuneline.local.storage.names import check_bucket, check_types
from tuneline.local.storage.store import (
    DEFAULT_CLASS,
    Resource,
    Store,
    bucket_of,
    etag,
    loaded,
    save_bucket,
    stored,
    timestamp,
)

STAGING = "tuneline-local"
"""The bucket that is there from the start."""
SETTINGS = (
    "acl",
    "autoclass",
    "billing",
    "cors",
    "defaultEventBasedHold",
    "defaultObjectAcl",
    "encryption",
    "iamConfiguration",
    "labels",
    "lifecycle",
    "logging",
    "retentionPolicy",
    "rpo",
    "storageClass",
    "versioning",
    "website",
)
"""What a caller may say of a bucket; what else is said is passed over, as Cloud Storage does."""
DEFAULTS: dict[str, Any] = {
    "storageClass": DEFAULT_CLASS,
    "iamConfiguration": {
        "bucketPolicyOnly": {"enabled": False},
        "uniformBucketLevelAccess": {"enabled": False},
        "publicAccessPrevention": "inherited",
    },
}
"""Settings that every bucket has: null, or nothing said, means these."""
MULTI_REGIONS = ("US", "EU", "ASIA")


def create_first(store: Store, project: str) -> None:
    """Makes the staging bucket, once."""
    if store.index.one("SELECT 1 FROM buckets WHERE name = ?", STAGING) is None:
        said = {"name": STAGING, "location": "US-CENTRAL1"}
        store.index.submit(lambda tx: _create(tx, store, project, said)).result()


async def create(store: Store, request: Request) -> Response:
    said = await request.json()
    await request.calling("storage.buckets.insert", f"gs://{said.get('name')}")
    name = check_bucket(said.get("name"))
    check_types(said)
    retention.check_said(said)
    project = request.first("project")
    if not project:
        raise Refusal(400, "Required parameter: project", reason="required", location="project")
    return json_response(await store.index.write(lambda tx: _create(tx, store, project, said | {"name": name})))


async def get(store: Store, request: Request, name: str) -> Response:
    await request.calling("storage.buckets.get", f"gs://{name}", write=False)
    resource = store.bucket(name)
    of_query(request).check(resource, reading=True)
    return json_response(resource)


async def list_all(store: Store, request: Request) -> Response:
    """The buckets of one project, by name."""
    await request.calling("storage.buckets.list", "", write=False)
    limit = request.number("maxResults") or 1000
    after = base64.urlsafe_b64decode(request.first("pageToken")).decode() if request.first("pageToken") else ""
    project, prefix = request.first("project"), request.first("prefix")
    if not project:
        raise Refusal(400, "Required parameter: project", reason="required", location="project")
    rows = store.index.read(
        "SELECT name, resource FROM buckets WHERE project = ? AND name > ? AND substr(name, 1, ?) = ? "
        "ORDER BY name LIMIT ?",
        store.project_number(project), after, len(prefix), prefix, limit + 1,
    )  # fmt: skip
    answer: dict[str, Any] = {"kind": "storage#buckets", "items": [loaded(row) for row in rows[:limit]]}
    if len(rows) > limit:
        answer["nextPageToken"] = base64.urlsafe_b64encode(rows[limit - 1]["name"].encode()).decode()
    return json_response(answer)


async def change(store: Store, request: Request, name: str) -> Response:
    """PATCH merges one level deep and null removes; PUT replaces all that a caller may say."""
    whole = request.method == "PUT"
    await request.calling("storage.buckets.update" if whole else "storage.buckets.patch", f"gs://{name}")
    said, conditions = await request.json(), of_query(request)
    check_types(said)
    retention.check_said(said)

    def step(tx: Transaction) -> Resource:
        resource = loaded(_row(tx, name))
        conditions.check(resource)
        fresh = {key: value for key, value in resource.items() if not whole or key not in SETTINGS or key in DEFAULTS}
        for key in set(said) & set(SETTINGS):
            value = said[key]
            if not whole and isinstance(value, dict) and isinstance(fresh.get(key), dict):
                value = {**fresh[key], **value}
            value = _setting(key, value)
            if value is None:
                fresh.pop(key, None)
            else:
                fresh[key] = value
        retention.check_change(resource, fresh)
        return save_bucket(tx, fresh)

    return json_response(await store.index.write(step))


async def delete(store: Store, request: Request, name: str) -> Response:
    await request.calling("storage.buckets.delete", f"gs://{name}")
    conditions = of_query(request)

    def step(tx: Transaction) -> None:
        conditions.check(loaded(_row(tx, name)))
        if tx.one("SELECT 1 FROM objects WHERE bucket = ? LIMIT 1", name):
            raise Refusal(409, f"The bucket you tried to delete is not empty: {name}.", code="BucketNotEmpty")
        for row in tx.execute(
            "SELECT blob FROM parts JOIN multiparts ON upload = id WHERE bucket = ?", name
        ).fetchall():
            tx.freed.append(row["blob"])
        for row in tx.execute("SELECT id FROM uploads WHERE bucket = ?", name).fetchall():
            tx.freed.append(row["id"])
        tx.execute("DELETE FROM parts WHERE upload IN (SELECT id FROM multiparts WHERE bucket = ?)", name)
        tx.execute("DELETE FROM multiparts WHERE bucket = ?", name)
        tx.execute("DELETE FROM uploads WHERE bucket = ?", name)
        tx.execute("DELETE FROM buckets WHERE name = ?", name)

    await store.index.write(step)
    return Response(status=204)


async def lock_retention(store: Store, request: Request, name: str) -> Response:
    """Makes the bucket's retention policy permanent: from now on it can only be lengthened."""
    await request.calling("storage.buckets.lockRetentionPolicy", f"gs://{name}")
    conditions = of_query(request)
    if conditions.metageneration is None:
        what = "Required parameter: ifMetagenerationMatch"
        raise Refusal(400, what, reason="required", location="ifMetagenerationMatch")

    def step(tx: Transaction) -> Resource:
        resource = bucket_of(tx, name)
        conditions.check(resource)
        if not resource.get("retentionPolicy"):
            raise invalid(f"The bucket {name} has no retention policy that could be locked.")
        resource["retentionPolicy"]["isLocked"] = True
        return save_bucket(tx, resource)

    return json_response(await store.index.write(step))


async def policy(store: Store, request: Request, name: str) -> Response:
    """The bucket's IAM policy: kept and given back, never enforced."""
    if request.method == "PUT":
        await request.calling("storage.buckets.setIamPolicy", f"gs://{name}")
        said = await request.json()

        def step(tx: Transaction) -> Resource:
            held = _policy(name, _row(tx, name)["iam"])
            if said.get("etag") not in (None, held["etag"]):
                raise Refusal(412, "The policy was changed since it was read: its etag is another.")
            fresh = {"version": 1, "bindings": [], **said}
            fresh |= {"kind": held["kind"], "resourceId": held["resourceId"], "etag": etag("policy", tx.tick())}
            tx.execute("UPDATE buckets SET iam = ? WHERE name = ?", stored(fresh), name)
            return fresh

        return json_response(await store.index.write(step))
    store.bucket(name)
    row = store.index.one("SELECT iam FROM buckets WHERE name = ?", name)
    return json_response(_policy(name, row["iam"] if row else None))


async def test_permissions(store: Store, request: Request, name: str) -> Response:
    """Everything is permitted here, as to the owner of the project."""
    store.bucket(name)
    asked = request.query.get("permissions", [])
    if not asked:
        raise Refusal(400, "Required parameter: permissions", reason="required", location="permissions")
    return json_response({"kind": "storage#testIamPermissionsResponse", "permissions": asked})


def _create(tx: Transaction, store: Store, project: str, said: dict[str, Any]) -> Resource:
    name = said["name"]
    if tx.one("SELECT 1 FROM buckets WHERE name = ?", name):
        raise Refusal(
            409, f"Your previous request to create the named bucket succeeded and you already own it: {name}."
        )
    location = said.get("location", "US")
    if not isinstance(location, str) or not location.replace("-", "").isalnum():
        raise invalid(f"The specified location constraint is not valid: {location!r}.", location="location")
    moment = tx.tick()
    number = store.project_number(project)
    resource = {
        # Deleted is deleted here: no copy is kept to be restored.
        "softDeletePolicy": {"retentionDurationSeconds": "0"},
        **{key: value for key in SETTINGS if (value := _setting(key, said.get(key))) is not None},
        "kind": "storage#bucket",
        "id": name,
        "name": name,
        "selfLink": f"https://www.googleapis.com/storage/v1/b/{name}",
        "projectNumber": number,
        "location": location.upper(),
        "locationType": "multi-region" if location.upper() in MULTI_REGIONS else "region",
        "metageneration": "1",
        "etag": etag(name, 1),
        "timeCreated": timestamp(moment),
        "updated": timestamp(moment),
    }
    statement = "INSERT INTO buckets (name, project, resource) VALUES (?, ?, ?)"
    retention.check_change({}, resource)
    tx.execute(statement, name, number, stored(resource))
    return resource


def _setting(key: str, said: Any) -> Any:
    """A setting as it is stored: nulls within it left out, what every bucket has filled in; None: nothing."""
    default = DEFAULTS.get(key)
    if isinstance(said, dict):
        return {**(default or {}), **{part: value for part, value in said.items() if value is not None}}
    return default if said is None else said


def _row(tx: Transaction, name: str) -> sqlite3.Row:
    row = tx.one("SELECT resource, iam FROM buckets WHERE name = ?", name)
    if row is None:
        raise no_bucket(name)
    return row


def _policy(name: str, kept: str | None) -> Resource:
    policy: Resource = (
        orjson.loads(kept)
        if kept
        else {"kind": "storage#policy", "version": 1, "bindings": [], "etag": "CAE="}
    )  # fmt: skip
    return policy | {"resourceId": f"projects/_/buckets/{name}"}
