"""The same act on a cloud object and on a local file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any, BinaryIO

from tuneline import errors
from tuneline.errors import DatasetError, Problem
from tuneline.objects import checksums, cloud, files
from tuneline.objects.info import ObjectInfo
from tuneline.objects.uris import is_cloud, path_of


def open_read(uri: str) -> BinaryIO:
    """The object as a stream of bytes, to be closed by the caller."""
    return cloud.open_read(uri) if is_cloud(uri) else files.open_read(uri)


def read_bytes(uri: str) -> bytes:
    """All of the object."""
    with open_read(uri) as stream:
        return stream.read()


def read_text(uri: str) -> str:
    """All of the object as UTF-8 text.

    Raises:
        DatasetError: it is not UTF-8; names the byte.
    """
    data = read_bytes(uri)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        problem = Problem(where=uri, what=f"not UTF-8 at byte {error.start}", fix="save it as UTF-8")
        raise DatasetError([problem], title="unreadable text") from error


def read_json(uri: str) -> Any:
    """The object as parsed JSON.

    Raises:
        DatasetError: it is not JSON; names line and column.
    """
    try:
        return json.loads(read_text(uri))
    except json.JSONDecodeError as error:
        problem = Problem(where=f"{uri}:{error.lineno}:{error.colno}", what=error.msg, fix="write it again, as JSON")
        raise DatasetError([problem], title="unreadable JSON") from error


def write_bytes(uri: str, data: bytes, *, content_type: str | None = None) -> ObjectInfo:
    """Put the bytes there, replacing what was; a reader sees the old or the new, never a part."""
    if is_cloud(uri):
        return cloud.write(uri, data, content_type=content_type or "")
    return files.write(uri, [data])


def write_json(uri: str, value: Any) -> ObjectInfo:
    """Put the value there as indented JSON.

    NaN and infinities are refused (`ValueError`): readers differ in what they make of them.
    """
    text = json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    return write_bytes(uri, text.encode(), content_type="application/json")


def create(uri: str, data: bytes) -> ObjectInfo:
    """Put the bytes there if nothing is: of any number at once, exactly one succeeds.

    Raises:
        AlreadyExists: something is there, and stays as it is.
    """
    return cloud.write(uri, data, if_absent=True) if is_cloud(uri) else files.write(uri, [data], if_absent=True)


def stat(uri: str) -> ObjectInfo:
    """What is known of the object. Raises `NotFound`."""
    return cloud.stat(uri) if is_cloud(uri) else files.stat(uri)


def exists(uri: str) -> bool:
    """Whether the object is there. Not being allowed to know is an error (`NotPermitted`), not a no."""
    if not is_cloud(uri):
        return path_of(uri).is_file()
    try:
        cloud.stat(uri)
    except errors.NotFound:
        return False
    return True


def clear_unfinished(folder_uri: str) -> None:
    """Remove what killed writers left in a folder; only for whoever alone writes there. Cloud Storage keeps nothing."""
    if not is_cloud(folder_uri):
        files.clear_unfinished(folder_uri)


def list_objects(prefix_uri: str) -> Iterator[ObjectInfo]:
    """The objects whose URI begins with the prefix, in order; end it with `/` to mean a folder."""
    return cloud.list_objects(prefix_uri) if is_cloud(prefix_uri) else files.list_objects(prefix_uri)


def delete(uri: str) -> None:
    """Remove the object. Raises `NotFound` where there is none."""
    if is_cloud(uri):
        cloud.delete(uri)
    else:
        files.delete(uri)


def copy(src: str, dst: str) -> ObjectInfo:
    """Copy an object anywhere: inside the service where both are there, else verified, through this machine."""
    if is_cloud(src) and is_cloud(dst):
        return cloud.copy(src, dst)
    if is_cloud(src):
        download_file(src, path_of(dst))
        return files.stat(dst)
    return upload_file(path_of(src), dst)


def upload_file(path: str | os.PathLike[str], uri: str) -> ObjectInfo:
    """Put a local file under the URI, compared by CRC32C once it is there."""
    source = os.fspath(path)
    with files.open_read(source) as stream:
        size = os.fstat(stream.fileno()).st_size
        if is_cloud(uri) and size <= cloud.LARGE:
            return cloud.write(uri, stream.read())
    if is_cloud(uri):
        return cloud.upload_file(source, uri)
    with files.open_read(source) as stream:
        written = files.write(uri, checksums.blocks(stream))
    _compare(written.crc32c, source, uri)
    return written


def download_file(uri: str, path: str | os.PathLike[str]) -> None:
    """Put the object into a local file, compared by CRC32C; the file appears whole or not at all."""
    target = os.fspath(path)
    with open_read(uri) as stream:  # a cloud stream compares its checksum at its end, before the file gets its name
        written = files.write(target, checksums.blocks(stream))
    if not is_cloud(uri):
        _compare(written.crc32c, uri, target)


def _compare(crc32c: str, source: str, target: str) -> None:
    expected = files.stat(source).crc32c
    if crc32c != expected:
        raise errors.ServiceError(f"{target} has the checksum {crc32c}, {source} has {expected}: copy it again")
