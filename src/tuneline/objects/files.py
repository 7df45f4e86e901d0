"""Objects as local files: whole or not there, whoever is killed when."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from tuneline import errors
from tuneline.objects import checksums
from tuneline.objects.info import ObjectInfo
from tuneline.objects.uris import path_of

# Names under which bytes are written before they get their own; never listed. What a kill leaves behind is harmless;
# `clear_unfinished` takes it away.
_UNFINISHED = ".tuneline-unfinished-"


@contextlib.contextmanager
def _typed(uri: str) -> Iterator[None]:
    """Turn the operating system's refusals into this project's errors, naming the file."""
    try:
        yield
    except FileExistsError as error:
        raise errors.AlreadyExists(f"{uri} exists already", status=412) from error
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise errors.NotFound(f"{uri}: {error.strerror or error}", status=404) from error
    except PermissionError as error:
        raise errors.NotPermitted(f"{uri}: {error.strerror or error}", status=403) from error
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise (errors.QuotaExceeded if full else errors.ServiceError)(f"{uri}: {error.strerror or error}") from error


def open_read(uri: str) -> BinaryIO:
    """The file, open for reading."""
    with _typed(uri):
        return path_of(uri).open("rb")


def write(uri: str, blocks: Iterable[bytes], *, if_absent: bool = False) -> ObjectInfo:
    """Put the blocks under the URI in one step; with `if_absent`, of many at once exactly one succeeds.

    Raises:
        AlreadyExists: `if_absent`, and something is there.
    """
    path = path_of(uri)
    with _typed(uri):
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{_UNFINISHED}{secrets.token_hex(8)}")
        # Not tempfile: it makes files that only their owner may read.
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            with open(descriptor, "wb") as stream:
                stream.writelines(blocks)
                stream.flush()
                os.fsync(stream.fileno())
            if if_absent:
                os.link(unfinished, path)  # fails if the name is taken: the file system is the judge
            else:
                os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)
        _sync_folder(path.parent)
    return stat(uri)


def stat(uri: str) -> ObjectInfo:
    """What is known of the file, its checksum included (so it is read once)."""
    with _typed(uri), path_of(uri).open("rb") as stream:
        crc32c = checksums.crc32c(checksums.blocks(stream))
        return _info(uri, os.fstat(stream.fileno()), crc32c)


def delete(uri: str) -> None:
    """Remove the file."""
    with _typed(uri):
        path_of(uri).unlink()


def clear_unfinished(folder_uri: str) -> None:
    """Remove what killed writers left in a folder and below it."""
    with _typed(folder_uri):
        for left in list(path_of(folder_uri).rglob(f"{_UNFINISHED}*")):
            left.unlink(missing_ok=True)


def list_objects(prefix_uri: str) -> Iterator[ObjectInfo]:
    """The files whose path begins with the prefix, in the order of their bytes; a missing folder holds none."""
    prefix = os.fspath(path_of(prefix_uri))
    if prefix_uri.endswith("/"):
        prefix = os.path.join(prefix, "")  # pathlib drops the slash that says "inside this folder"
    # The URI is the user's own spelling of the prefix plus what follows it, so that file:// stays file://.
    given = prefix_uri if prefix_uri.startswith("file://") else prefix
    folder, _, beginning = prefix.rpartition(os.sep)
    with _typed(prefix_uri):
        found = sorted(_walk(folder + os.sep if os.sep in prefix else "", beginning), key=os.fsencode)
    for path in found:
        try:
            status = os.stat(path)
        except FileNotFoundError:
            continue  # deleted since the walk
        yield _info(given + path[len(prefix) :], status, "")


def _walk(folder: str, beginning: str) -> Iterator[str]:
    """Paths of the files below `folder` (`''`: the current one) that its entries `beginning...` are or hold."""
    try:
        with os.scandir(folder or ".") as entries:
            # Links to folders are not followed: they may lead in a circle.
            names = [
                (entry.name, entry.is_dir(follow_symlinks=False))
                for entry in entries
                if entry.name.startswith(beginning) and not (entry.is_symlink() and entry.is_dir())
            ]
    except FileNotFoundError:
        return  # a missing folder holds nothing, and one may be deleted while it is walked
    for name, is_folder in names:
        if is_folder:
            yield from _walk(f"{folder}{name}{os.sep}", "")
        elif not name.startswith(_UNFINISHED):
            yield folder + name


def _info(uri: str, status: os.stat_result, crc32c: str) -> ObjectInfo:
    return ObjectInfo(
        uri=uri,
        size=status.st_size,
        crc32c=crc32c,
        generation=status.st_mtime_ns,
        created=datetime.fromtimestamp(status.st_mtime, UTC),
        server_time=datetime.fromtimestamp(time.time(), UTC),
    )


def _sync_folder(folder: Path) -> None:
    """Make the new name survive a power cut, where the system can do it."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
