"""A dataset's bytes as one local, seekable file, wherever they are: a path, `gs://`, or gzip of either.

A path is read where it is. An object of Cloud Storage, and what gzip holds, is streamed to an unnamed temporary file
first: memory stays flat, several processes can read ranges of it, and nothing that changes the original is half seen.
"""

from __future__ import annotations

import os
import stat
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from tuneline.errors import DatasetError, NotFound, Problem

BLOCK = 1 << 20
MAX_INFLATED = 16 << 30
"""Bytes of decompressed data that are read: sixteen times the largest file that any service takes."""
MAX_RATIO = 1000
"""Times that gzip may shrink a file. Text shrinks by 3 to 30, a file of one repeated line by some 300; deflate's limit,
which a bomb reaches, is 1,032."""
SUSPECT = 64 << 20
"""Bytes from which the ratio is looked at."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """An open dataset. `fd` is a seekable descriptor of the plain bytes, `size` their number."""

    uri: str
    fd: int
    size: int
    compressed: bool
    stored_bytes: int
    """Size of the file as stored (compressed, if it is)."""
    crc32c: str
    """Checksum of the stored bytes (base64, as Cloud Storage gives it) if it is known already, as for gzip; else ''."""
    digest: str
    """sha256 of the stored bytes if it is known already, else ''."""
    _mark: tuple[int, int, int]
    _path: str

    def changed(self) -> bool:
        """Whether the file was written to, or replaced, since it was opened."""
        if not self._path:
            return False
        if _mark(os.fstat(self.fd)) != self._mark:
            return True
        try:
            return _mark(os.stat(self._path)) != self._mark
        except OSError:
            return True


def _mark(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def refuse(uri: str, what: str, fix: str) -> DatasetError:
    """The error of a dataset that cannot be read at all."""
    return DatasetError([Problem(where=uri, what=what, fix=fix)])


def local_path(uri: str) -> str | None:
    """The path of a local URI; None for an object of a cloud."""
    if uri.startswith("file://"):
        return unquote(urlsplit(uri).path)
    return None if "://" in uri else uri


@contextmanager
def open_source(uri: str) -> Iterator[Source]:
    """Opens the dataset; raises `DatasetError` that names what is at the address if it is no readable file."""
    path = local_path(str(uri))
    if path is None:
        with _fetch(str(uri)) as file:
            yield from _opened(str(uri), file, "")
    else:
        with _open_local(str(uri), path) as file:
            yield from _opened(str(uri), file, path)


def _opened(uri: str, file: BinaryIO, path: str) -> Iterator[Source]:
    status = os.fstat(file.fileno())
    plain, digest, crc32c, stored = file, "", "", status.st_size
    compressed = os.pread(file.fileno(), 2, 0) == b"\x1f\x8b"
    if compressed:
        plain, digest, crc32c = _inflate(uri, file)
    try:
        yield Source(
            uri=uri,
            fd=plain.fileno(),
            size=os.fstat(plain.fileno()).st_size,
            compressed=compressed,
            stored_bytes=stored,
            crc32c=crc32c,
            digest=digest,
            # What was copied to a temporary file cannot change under the reader.
            _mark=_mark(status),
            _path="" if compressed else path,
        )
    finally:
        if plain is not file:
            plain.close()


def _open_local(uri: str, path: str) -> BinaryIO:
    # O_NONBLOCK: opening a FIFO would otherwise wait for a writer that may never come.
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise refuse(uri, "there is no such file", _near(path)) from error
    except PermissionError as error:
        raise refuse(uri, "the file may not be read", "give this user permission to read it") from error
    except (OSError, ValueError) as error:
        raise refuse(uri, f"the file cannot be opened: {error}", "name a file that can be read") from error
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        os.close(fd)
        name = next(
            (
                name
                for test, name in (
                    (stat.S_ISDIR, "a folder"),
                    (stat.S_ISFIFO, "a FIFO"),
                    (stat.S_ISSOCK, "a socket"),
                )
                if test(mode)
            ),
            "a device",
        )
        fix = "name one file in it" if name == "a folder" else "write it to a file first; it is read more than once"
        raise refuse(uri, f"this is {name}, not a file", fix)
    return os.fdopen(fd, "rb", buffering=0)


def _near(path: str) -> str:
    from difflib import get_close_matches

    parent = Path(path).parent
    try:
        names = [entry.name for entry in parent.iterdir()]
    except OSError:
        return f"there is no folder {parent} either" if not parent.exists() else "check the path"
    near = get_close_matches(Path(path).name, names, n=1, cutoff=0.75)
    return f"did you mean {parent / near[0]}?" if near else "check the path"


@contextmanager
def _fetch(uri: str) -> Iterator[BinaryIO]:
    """The object as an unnamed temporary file; the stream compares its checksum with the one that the service keeps."""
    from tuneline import objects

    if not objects.is_cloud(uri):
        raise refuse(uri, "neither a file nor a gs:// object", "name a local path or gs://bucket/object")
    try:
        with objects.open_read(uri) as stream, _scratch() as file:
            while block := stream.read(BLOCK):
                _write(uri, file, block)
            yield file
    except NotFound as error:
        raise refuse(uri, "there is no such object", "check bucket and name, and that it was uploaded") from error


def _scratch() -> BinaryIO:
    return tempfile.TemporaryFile(prefix="tuneline-", buffering=0)


def _write(uri: str, file: BinaryIO, block: bytes) -> None:
    view = memoryview(block)
    try:
        while view:
            view = view[file.write(view) :]
    except OSError as error:
        raise refuse(
            uri, f"no room for a temporary copy: {error}", "free some space, or set TMPDIR to a larger disk"
        ) from error


def _inflate(uri: str, file: BinaryIO) -> tuple[BinaryIO, str, str]:
    """The decompressed bytes as a temporary file; digest and checksum of the compressed ones, from the same pass."""
    import hashlib

    from tuneline.datasets.checksums import Crc32c

    file.seek(0)
    plain = _scratch()
    sha, crc = hashlib.sha256(), Crc32c()
    inflater, read, written, begun = zlib.decompressobj(wbits=31), 0, 0, False
    try:
        while block := file.read(BLOCK):
            sha.update(block)
            crc.update(block)
            read += len(block)
            while block:
                if inflater.eof:
                    # Several gzip members one after the other are one file; zero padding after them is none.
                    block = block.lstrip(b"\0")
                    if not block:
                        break
                    inflater = zlib.decompressobj(wbits=31)
                out = inflater.decompress(block, BLOCK)
                begun = True
                written += len(out)
                if written > MAX_INFLATED or (written > SUSPECT and written > MAX_RATIO * read):
                    raise refuse(
                        uri,
                        f"{read:,} compressed bytes hold more than {written:,}: this looks like a gzip bomb",
                        "decompress it yourself if you trust it",
                    )
                _write(uri, plain, out)
                block = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
        if begun and not inflater.eof:
            raise refuse(uri, "the gzip file is cut short", "compress or upload it again")
    except zlib.error as error:
        plain.close()
        raise refuse(uri, f"the gzip file is damaged: {error}", "compress or upload it again") from error
    except DatasetError:
        plain.close()
        raise
    return plain, sha.hexdigest(), crc.base64()
