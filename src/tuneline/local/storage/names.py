"""What a bucket and an object may be called, and how large their metadata may be.

Rules: https://cloud.google.com/storage/docs/buckets#naming and https://cloud.google.com/storage/docs/objects#naming.
Names never become file names, so a name cannot lead out of the data folder.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

from tuneline.local.storage.errors import Refusal, invalid

MAX_NAME_BYTES = 1024
MAX_METADATA_BYTES = 8 * 1024
MAX_JSON_BYTES = 1 << 20

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")


def check_bucket(name: object) -> str:
    """The name, if a bucket may be created with it."""
    if not isinstance(name, str) or not name:
        raise Refusal(400, "Required parameter: name (the bucket's name).", reason="required", location="name")
    parts = name.split(".")
    allowed = (
        _BUCKET.fullmatch(name)
        and all(1 <= len(part) <= 63 for part in parts)
        and not name.startswith("goog")
        and "google" not in name
        and not _is_address(name)
    )
    if not allowed:
        raise Refusal(
            400,
            f"Invalid bucket name: '{name[:80]}'. 3 to 63 lower-case letters, digits, dashes, underscores and dots, "
            "beginning and ending with a letter or digit, no IP address, no 'goog' at the start, no 'google' within.",
            code="InvalidBucketName",
            location="name",
        )
    return name


def check_object(name: object) -> str:
    """The name, if an object may be written under it: 1 to 1024 bytes of UTF-8 on one line."""
    if not isinstance(name, str) or not name:
        raise Refusal(400, "Required parameter: name (the object's name).", reason="required", location="name")
    try:
        size = len(name.encode())
    except UnicodeEncodeError as error:
        raise invalid("The object's name is not valid UTF-8.", location="name") from error
    if size > MAX_NAME_BYTES:
        raise Refusal(
            400, f"The object's name has {size} bytes; at most {MAX_NAME_BYTES} are allowed.", code="KeyTooLong"
        )
    if name in (".", "..") or "\r" in name or "\n" in name or "\0" in name:
        raise invalid(
            f"Invalid object name: {name!r}. No line breaks, no NUL, and neither '.' nor '..'.", location="name"
        )
    if name.startswith(".well-known/acme-challenge/"):
        raise invalid("An object's name may not begin with .well-known/acme-challenge/.", location="name")
    return name


def check_metadata(custom: object) -> dict[str, str]:
    """Custom metadata as strings, within the 8 KiB that Cloud Storage allows for all keys and values."""
    if not isinstance(custom, dict) or not all(isinstance(v, str) for v in custom.values()):
        raise invalid("metadata must be an object whose values are strings.", location="metadata")
    size = sum(len(key.encode()) + len(value.encode()) for key, value in custom.items())
    if size > MAX_METADATA_BYTES:
        raise invalid(
            f"Custom metadata has {size} bytes; at most {MAX_METADATA_BYTES} are allowed.", location="metadata"
        )
    return custom


_TEXTS = (
    "cacheControl",
    "contentDisposition",
    "contentEncoding",
    "contentLanguage",
    "contentType",
    "crc32c",
    "customTime",
    "kmsKeyName",
    "location",
    "md5Hash",
    "name",
    "storageClass",
)
_FLAGS = ("defaultEventBasedHold", "eventBasedHold", "temporaryHold")
_GROUPS = (
    "contexts",
    "iamConfiguration",
    "labels",
    "lifecycle",
    "metadata",
    "retention",
    "retentionPolicy",
    "softDeletePolicy",
    "versioning",
)
_LISTS = ("acl", "cors", "defaultObjectAcl")
_TYPES = {
    **dict.fromkeys(_TEXTS, str),
    **dict.fromkeys(_FLAGS, bool),
    **dict.fromkeys(_GROUPS, dict),
    **dict.fromkeys(_LISTS, list),
}
_WORDS = {str: "a string", bool: "true or false", dict: "an object", list: "a list"}


def check_types(said: Mapping[str, object]) -> None:
    """Refuses a field of a bucket or an object that is of another kind than the API defines; null is always allowed."""
    for field, kind in _TYPES.items():
        if not isinstance(said.get(field), kind | None):
            raise invalid(f"{field} must be {_WORDS[kind]}.", location=field)
    for group, inner in (("versioning", "enabled"), ("iamConfiguration", "uniformBucketLevelAccess")):
        value = said.get(group)
        if isinstance(value, dict) and not isinstance(value.get(inner), (bool if inner == "enabled" else dict) | None):
            raise invalid(f"{group}.{inner} is of the wrong kind.", location=f"{group}.{inner}")
    for field in ("acl", "defaultObjectAcl"):
        entries = said.get(field)
        if isinstance(entries, list) and not all(
            isinstance(e, dict) and isinstance(e.get("entity"), str) for e in entries
        ):
            raise invalid(f"each entry of {field} must be an object with an entity.", location=field)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
