"""The bodies of objects: files that are written once, hashed on the way, on disk before they are named.

`incoming/` holds what is being received, `blobs/xx/` what is complete. File names are random; the index alone knows
which object a body belongs to. What no row names is swept at the next start.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

import google_crc32c

P = ParamSpec("P")
Result = TypeVar("Result")

PIECE = 1 << 20
"""Bytes that are read, hashed or written at once by a thread."""
_WRITE_BACK = 32 << 20
"""After so many bytes the disk is set to work, so that the last sync of a large body is short."""


@dataclass(frozen=True, kw_only=True)
class Body:
    """A complete body: its file, size in bytes, and checksums in base64 (`md5` is '' for one made of several)."""

    blob: str
    size: int
    crc32c: str
    md5: str


class Bodies:
    """The files below `root`, and the threads that do what would keep the event loop waiting."""

    def __init__(self, root: Path) -> None:
        self._incoming = root / "incoming"
        self._blobs = root / "blobs"
        self._incoming.mkdir(parents=True, exist_ok=True)
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="storage-body")

    async def run(self, work: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        """Runs blocking work on a thread."""
        return await asyncio.wrap_future(self._threads.submit(work, *args, **kwargs))

    def submit(self, work: Callable[[], Result]) -> Future[Result]:
        """Starts blocking work on a thread, for which nobody waits now."""
        return self._threads.submit(work)

    def draft(self, *, md5: bool = True) -> Draft:
        """A new body to be written."""
        return Draft(self, md5=md5)

    def resume(self, blob: str, size: int) -> Draft:
        """The body that `blob` was when `size` bytes of it were on disk. Blocks while its hashes are read again."""
        if not self.incoming(blob).exists():
            if self.path(blob).exists():  # complete, but the row that names it was never written
                os.rename(self.path(blob), self.incoming(blob))
            elif size == 0:
                self.incoming(blob).touch()
        draft = Draft(self, blob=blob)
        draft.resume(size)
        return draft

    def incoming(self, blob: str) -> Path:
        return self._incoming / blob

    def path(self, blob: str) -> Path:
        return self._blobs / blob[:2] / blob

    def keep(self, blob: str) -> None:
        """Moves a complete, synced file to where bodies are read from; on disk when this returns."""
        target = self._place(blob)
        os.rename(self.incoming(blob), target)
        sync_folder(target.parent)

    def link(self, blob: str) -> str:
        """A second body of the same content: the same file where the file system can, else a copy."""
        copy = uuid.uuid4().hex
        target = self._place(copy)
        try:
            os.link(self.path(blob), target)
        except FileNotFoundError:
            raise
        except OSError:  # this file system has no hard links
            with open(self.path(blob), "rb") as source, open(self.incoming(copy), "xb") as out:
                while piece := source.read(PIECE):
                    out.write(piece)
                out.flush()
                os.fsync(out.fileno())
            os.rename(self.incoming(copy), target)
        sync_folder(target.parent)
        return copy

    def free(self, blobs: Iterable[str]) -> None:
        """Removes bodies that no row names any more; who has one open reads on to its end."""
        for blob in blobs:
            self.path(blob).unlink(missing_ok=True)
            self.incoming(blob).unlink(missing_ok=True)

    def free_later(self, blobs: list[str]) -> None:
        """The same on a thread: removing a large file takes a while."""
        if blobs:
            self._threads.submit(self.free, blobs)

    def sweep(self, named: set[str], unfinished: set[str]) -> int:
        """Removes what a crash left: files that neither an object nor an unfinished upload names. Returns how many."""
        for blob in unfinished:  # moved, and the crash came before its row
            if self.path(blob).exists() and not self.incoming(blob).exists():
                os.rename(self.path(blob), self.incoming(blob))
        swept = 0
        shards = list(self._blobs.iterdir()) if self._blobs.exists() else []
        for folder, known in [(self._incoming, unfinished), *((shard, named) for shard in shards)]:
            for entry in os.scandir(folder):
                if entry.name not in known:
                    os.unlink(entry.path)
                    swept += 1
        return swept

    def close(self) -> None:
        self._threads.shutdown(wait=True)

    def _place(self, blob: str) -> Path:
        target = self.path(blob)
        if not target.parent.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            sync_folder(self._blobs)
        return target


class Draft:
    """A body being received: a thread hashes and writes one piece while the next one arrives.

    Holds about two pieces in memory. One task at a time may use it. With `blob` it goes on with a file that is there
    already. As a context it is discarded when its block fails.
    """

    def __init__(self, bodies: Bodies, *, blob: str = "", md5: bool = True) -> None:
        self.blob = blob or uuid.uuid4().hex
        self.size = 0
        self.synced = 0
        """Bytes that are known to be on disk."""
        self._bodies = bodies
        # Closed by finish, close or discard.
        self._file = open(bodies.incoming(self.blob), "r+b" if blob else "x+b", buffering=0)  # noqa: SIM115
        self._md5 = hashlib.md5(usedforsecurity=False) if md5 else None
        self._crc32c = google_crc32c.Checksum()
        self._pending: list[bytes] = []
        self._waiting = 0
        self._sync: Future[None] | None = None
        self._flush: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Draft:
        return self

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        if kind is not None:
            await self.discard()

    def resume(self, size: int) -> None:
        """Takes the first `size` bytes as written, reads their hashes again, and drops what follows. Blocks."""
        self.synced = size
        self._file.truncate(size)
        while self.size < size and (piece := self._file.read(min(PIECE, size - self.size))):
            self._hash(piece)
        if self.size != size:
            raise OSError(f"{self._file.name} has {self.size} bytes where {size} were promised to be on disk")

    async def write(self, piece: bytes) -> None:
        """Takes the next bytes; waits only when the disk is behind."""
        self._pending.append(piece)
        self._waiting += len(piece)
        if self._waiting >= PIECE:
            await self._start_flush()

    async def sync(self) -> None:
        """Returns when all bytes taken are on disk."""
        await self.settle()
        await self._bodies.run(self._write_back)

    async def finish(self) -> Body:
        """The complete body, on disk and where bodies are read from, not yet named by any row."""
        await self.settle()
        await self._bodies.run(self._seal)
        return self.body()

    def body(self) -> Body:
        md5 = base64.b64encode(self._md5.digest()).decode() if self._md5 else ""
        return Body(blob=self.blob, size=self.size, crc32c=base64.b64encode(self._crc32c.digest()).decode(), md5=md5)

    async def settle(self) -> None:
        """Returns when all bytes taken are hashed and written, so that `body()` is of them all."""
        await self._start_flush()
        await self._settle()

    async def append(self, bodies: Iterable[Path]) -> None:
        """Takes the contents of complete files, in order."""
        await self._bodies.run(self._append, list(bodies))

    async def close(self) -> None:
        """Lets go of the file, which stays."""
        await self._settle()
        await self._bodies.run(self._let_go)

    async def discard(self) -> None:
        """Removes the file: nothing of it was stored."""
        if not self._file.closed:
            with contextlib.suppress(OSError):  # a failed write was told by write() or finish() already
                await self._settle()
            await self._bodies.run(self._let_go)
        await self._bodies.run(self._bodies.free, [self.blob])

    async def _start_flush(self) -> None:
        await self._settle()
        pieces, self._pending, self._waiting = self._pending, [], 0
        if self.size - self.synced >= _WRITE_BACK and (self._sync is None or self._sync.done()):
            self._sync = self._bodies.submit(self._write_back)
        if pieces:
            self._flush = asyncio.ensure_future(self._bodies.run(self._write, pieces))

    async def _settle(self) -> None:
        if self._flush is not None:
            await self._flush

    def _write_back(self) -> None:
        size = self.size
        os.fsync(self._file.fileno())
        self.synced = size

    def _write(self, pieces: list[bytes]) -> None:
        # In one piece: each call that lets other threads run waits for its turn again.
        piece = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        view = memoryview(piece)
        while view:
            view = view[self._file.write(view) :]
        self._hash(piece)

    def _append(self, paths: list[Path]) -> None:
        for path in paths:
            with open(path, "rb", buffering=0) as source:
                while piece := source.read(PIECE):
                    self._write([piece])

    def _seal(self) -> None:
        self._write_back()
        self._let_go()
        self._bodies.keep(self.blob)

    def _let_go(self) -> None:
        """Closes the file once nobody uses it."""
        if self._sync is not None:
            self._sync.exception()
        self._file.close()

    def _hash(self, piece: bytes) -> None:
        self.size += len(piece)
        self._crc32c.update(piece)
        if self._md5:
            self._md5.update(piece)


async def read(bodies: Bodies, file: int, start: int, length: int) -> AsyncIterator[bytes]:
    """Bytes `start` to `start + length` of an open file, a piece at a time; closes it at the end."""
    try:
        while length > 0:
            piece = await bodies.run(os.pread, file, min(PIECE, length), start)
            if not piece:
                raise OSError(f"the file ended {length} bytes early")
            start += len(piece)
            length -= len(piece)
            yield piece
    finally:
        os.close(file)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
