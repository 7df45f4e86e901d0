"""Reading and joining object URIs."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from tuneline.errors import Problem, UsageError

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")
# https://cloud.google.com/storage/docs/buckets#naming (read 2026-11-20): 3 to 63 characters, 222 with dots.
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")


def is_cloud(uri: str) -> bool:
    """Whether the URI names something in Cloud Storage."""
    return uri.startswith("gs://")


def join(uri: str, *parts: str) -> str:
    """The URI with the parts behind it, one slash between each; an empty part adds nothing."""
    for part in parts:
        if part:
            uri = f"{uri.rstrip('/')}/{part.lstrip('/')}" if uri else part
    return uri


def split(uri: str, *, prefix: bool = False) -> tuple[str, str]:
    """Bucket and object name of a `gs://` URI.

    Args:
        prefix: whether the name may be empty or end with a slash, as in a listing.

    Raises:
        UsageError: it is no such URI; says what is wrong with it.
    """
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    if not is_cloud(uri) or not _BUCKET.fullmatch(bucket):
        raise _unusable(uri, f"`{bucket}` is no bucket name" if is_cloud(uri) else "it does not begin with gs://")
    if not prefix and not name:
        raise _unusable(uri, "it names a bucket and no object")
    return bucket, name


def object_path(bucket: str, name: str) -> str:
    """The object's path in the JSON API; a slash of its name is escaped there."""
    return f"/storage/v1/b/{quote(bucket, safe='')}/o/{quote(name, safe='')}"


def path_of(uri: str) -> Path:
    """The path that a local URI means.

    Raises:
        UsageError: another scheme (`s3://`), or a slip such as `gs:/bucket`.
    """
    if not uri:
        raise _unusable(uri, "it is empty")
    if uri.startswith("file://"):
        parts = urlsplit(uri)
        if parts.netloc not in ("", "localhost"):
            raise _unusable(uri, f"it names the machine `{parts.netloc}`; a local file has three slashes: file:///path")
        return Path(unquote(parts.path))
    if _SCHEME.match(uri):
        raise _unusable(uri, "it is neither gs:// nor a local file")
    return Path(uri)


def _unusable(uri: str, why: str) -> UsageError:
    return UsageError([Problem(where=uri or "URI", what=why, fix="write gs://bucket/name or a path")])
