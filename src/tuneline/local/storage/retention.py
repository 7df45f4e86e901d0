"""What keeps an object from being deleted or overwritten: holds, retention of its own, its bucket's policy.

https://cloud.google.com/storage/docs/bucket-lock and https://cloud.google.com/storage/docs/object-holds.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from tuneline.local.storage.errors import Refusal, invalid

LONGEST_S = 3_155_760_000
"""A hundred years."""


def check_said(said: Mapping[str, Any]) -> None:
    """Refuses a retention, of an object or of a bucket, that cannot be understood."""
    policy, own = said.get("retentionPolicy"), said.get("retention")
    try:
        if isinstance(policy, dict):
            if not 0 < int(policy["retentionPeriod"]) <= LONGEST_S:
                raise ValueError(f"retentionPeriod must be 1 to {LONGEST_S} seconds")
            datetime.datetime.fromisoformat(policy.get("effectiveTime", "2000-01-01T00:00:00Z"))
        until = own.get("retainUntilTime") if isinstance(own, dict) else None
        if until is not None and datetime.datetime.fromisoformat(until).tzinfo is None:
            raise ValueError("retainUntilTime needs a time zone")
    except (KeyError, TypeError, ValueError) as error:
        raise invalid(f"The retention is not well formed: {error}.", location="retention") from error


def check_free(bucket: Mapping[str, Any], resource: Mapping[str, Any]) -> None:
    """Refuses where something keeps the object as it is."""
    address = f"{resource['bucket']}/{resource['name']}"
    until = _until(bucket, resource)
    if until is not None and until > datetime.datetime.now(datetime.UTC):
        what = f"Object '{address}' is retained until {until.isoformat()} and cannot be deleted or overwritten."
        raise Refusal(403, what, reason="retentionPolicyNotMet")
    if resource.get("temporaryHold") or resource.get("eventBasedHold"):
        raise Refusal(403, f"Object '{address}' is under active hold and cannot be deleted or overwritten.")


def check_change(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Fills in what the store says of a bucket's policy; refuses to shorten one that is locked."""
    old, new = before.get("retentionPolicy") or {}, after.get("retentionPolicy") or {}
    if old.get("isLocked") and int(new.get("retentionPeriod", 0)) < int(old["retentionPeriod"]):
        raise Refusal(403, f"The retention policy of {before['name']} is locked and can only be lengthened.")
    if new:
        new["isLocked"] = bool(old.get("isLocked"))
        new.setdefault("effectiveTime", after["updated"])


def _until(bucket: Mapping[str, Any], resource: Mapping[str, Any]) -> datetime.datetime | None:
    ends = []
    period = (bucket.get("retentionPolicy") or {}).get("retentionPeriod")
    if period is not None:
        created = datetime.datetime.fromisoformat(resource["timeCreated"])
        ends.append(created + datetime.timedelta(seconds=int(period)))
    own = (resource.get("retention") or {}).get("retainUntilTime")
    if own is not None:
        ends.append(datetime.datetime.fromisoformat(own))
    return max(ends, default=None)
