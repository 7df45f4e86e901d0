"""Access control lists of buckets and objects: kept and given back, never enforced.

https://cloud.google.com/storage/docs/access-control/lists. Where uniform bucket-level access is on they are refused, as
Cloud Storage refuses them.
"""

from __future__ import annotations

import copy
from typing import Any

from tuneline.local.storage.errors import Refusal, invalid
from tuneline.local.storage.exchange import Request, Response, json_response
from tuneline.local.storage.index import Transaction
from tuneline.local.storage.store import Resource, Store, bucket_of, current, loaded, replace, save_bucket

FIELDS = ("acl", "defaultObjectAcl")
_KINDS = {"acl": "storage#bucketAccessControl", "defaultObjectAcl": "storage#objectAccessControl"}
_ROLES = ("OWNER", "READER", "WRITER")


async def answer(store: Store, request: Request, bucket: str, name: str, field: str, entity: str) -> Response:
    """One call on a list; `name` is '' for a bucket's own, `entity` '' for the whole list."""
    home = store.bucket(bucket)
    if home.get("iamConfiguration", {}).get("uniformBucketLevelAccess", {}).get("enabled"):
        raise invalid("Cannot use ACL API when uniform bucket-level access is enabled: use the bucket's IAM policy.")
    kind = "storage#objectAccessControl" if name else _KINDS[field]
    if request.method == "GET":
        entries = _entries(loaded(store.find(bucket, name)) if name else home, field, home)
        if not entity:
            return json_response({"kind": f"{kind}s", "items": entries})
        return json_response(_one(entries, entity))
    address = f"gs://{bucket}/{name}" if name else f"gs://{bucket}"
    noun = (
        "objectAccessControls" if name else "bucketAccessControls" if field == "acl" else "defaultObjectAccessControls"
    )
    verb = {"POST": "insert", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}.get(request.method)
    if verb is None:
        raise Refusal(405, f"{request.method} is not served for access control lists.")
    await request.calling(f"storage.{noun}.{verb}", address)
    said = await request.json()
    entity = entity or str(said.get("entity", ""))
    if not entity:
        raise Refusal(400, "Required parameter: entity", reason="required", location="entity")
    if verb != "delete" and said.get("role") not in _ROLES:
        raise invalid(f"role must be one of {', '.join(_ROLES)}.", location="role")

    def step(tx: Transaction) -> Resource:
        row = current(tx, bucket, name) if name else None
        resource = loaded(row) if row is not None else bucket_of(tx, bucket)
        entries = _entries(resource, field, home)
        fresh: Resource = {}
        if verb == "delete":
            _one(entries, entity)
        else:
            where = {"bucket": bucket, **({"object": name} if name else {})}
            fresh = {"kind": kind, "entity": entity, "role": said["role"], **where, "etag": "CAE="}
        resource[field] = [entry for entry in entries if entry["entity"] != entity] + ([fresh] if fresh else [])
        if row is not None:
            replace(tx, row, resource)
        else:
            save_bucket(tx, resource)
        return fresh

    changed = await store.index.write(step)
    return json_response(changed) if changed else Response(status=204)


def _entries(resource: Resource, field: str, bucket: Resource) -> list[dict[str, Any]]:
    owner = {"entity": f"project-owners-{bucket['projectNumber']}", "role": "OWNER"}
    entries: list[dict[str, Any]] = copy.deepcopy(resource.get(field)) or [owner]
    return entries


def _one(entries: list[dict[str, Any]], entity: str) -> dict[str, Any]:
    for entry in entries:
        if entry["entity"] == entity:
            return entry
    raise Refusal(404, f"The specified access control entry does not exist: {entity}.")
