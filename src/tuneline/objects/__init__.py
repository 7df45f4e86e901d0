"""Objects by URI: `gs://bucket/name`, `file:///path` or a plain path, through the same functions.

An object is bytes under a name: it appears whole or not at all, and is replaced whole. Folders do not exist; a `/` in
a name is only a character, and `list` takes a prefix. Small objects go over plain REST, since importing the storage
client costs 0.7 s in every short step; uploads above 8 MiB go through the official client, which resumes them.

Errors: `NotFound`, `AlreadyExists`, `NotPermitted`, `QuotaExceeded` and other `ServiceError`s, for files as for
objects; `UsageError` for a URI that is none.
"""

from tuneline.objects.info import ObjectInfo
from tuneline.objects.uniform import (
    clear_unfinished,
    copy,
    create,
    delete,
    download_file,
    exists,
    open_read,
    read_bytes,
    read_json,
    read_text,
    stat,
    upload_file,
    write_bytes,
    write_json,
)
from tuneline.objects.uniform import list_objects as list
from tuneline.objects.uris import is_cloud, join

__all__ = [
    "ObjectInfo",
    "clear_unfinished",
    "copy",
    "create",
    "delete",
    "download_file",
    "exists",
    "is_cloud",
    "join",
    "list",
    "open_read",
    "read_bytes",
    "read_json",
    "read_text",
    "stat",
    "upload_file",
    "write_bytes",
    "write_json",
]
