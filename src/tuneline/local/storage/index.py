"""The index of buckets, objects and unfinished uploads: one SQLite file beside the bodies.

Every change is a function that runs on the one writing thread inside a transaction, so a check and the write that
depends on it are one step however many callers race. Changes that wait at the same time share one commit, which is on
disk (WAL, synchronous=FULL) before any of them is answered.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

Result = TypeVar("Result")

VERSION = 1
_SCHEMA = """
CREATE TABLE buckets (name TEXT PRIMARY KEY, project TEXT NOT NULL, resource TEXT NOT NULL, iam TEXT) WITHOUT ROWID;
CREATE TABLE objects (
  bucket TEXT NOT NULL, name TEXT NOT NULL, generation INTEGER NOT NULL,
  live INTEGER NOT NULL, blob TEXT NOT NULL, resource TEXT NOT NULL,
  PRIMARY KEY (bucket, name, generation)) WITHOUT ROWID;
CREATE UNIQUE INDEX live_objects ON objects (bucket, name) WHERE live = 1;
CREATE TABLE uploads (
  id TEXT PRIMARY KEY, bucket TEXT NOT NULL, name TEXT NOT NULL, request TEXT NOT NULL,
  received INTEGER NOT NULL, created REAL NOT NULL, result TEXT) WITHOUT ROWID;
CREATE TABLE multiparts (
  id TEXT PRIMARY KEY, bucket TEXT NOT NULL, name TEXT NOT NULL, request TEXT NOT NULL,
  created REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE parts (
  upload TEXT NOT NULL, number INTEGER NOT NULL, blob TEXT NOT NULL, size INTEGER NOT NULL,
  md5 TEXT NOT NULL, crc32c TEXT NOT NULL, modified TEXT NOT NULL, PRIMARY KEY (upload, number)) WITHOUT ROWID;
"""
_BATCH = 64


class Transaction:
    """What a change works with: the connection, the store's clock, and the bodies that its commit sets free."""

    def __init__(self, connection: sqlite3.Connection, index: Index) -> None:
        self.connection = connection
        self.freed: list[str] = []
        """Bodies that no row names once this change is committed."""
        self._index = index

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        return self.connection.execute(statement, values)

    def one(self, statement: str, *values: Any) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self.connection.execute(statement, values).fetchone()
        return row

    def tick(self) -> int:
        """Microseconds since 1970 by this machine's clock, but always more than any tick before: a generation."""
        return self._index.tick()


class Index:
    """Opens (or creates) `path`; `free` is called with bodies that are no longer named, after the commit."""

    def __init__(self, path: Path, *, free: Callable[[list[str]], None]) -> None:
        self._path = path
        self._free = free
        self._readers = threading.local()
        self._queue: queue.SimpleQueue[tuple[Callable[[Transaction], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._writer = self._open()
        version = self._writer.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._writer.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
        elif version != VERSION:
            self._writer.close()
            raise RuntimeError(
                f"{path} has format {version}, and this version of tuneline reads format {VERSION}: "
                "use the version of tuneline that wrote it, or another data folder"
            )
        self._last = self._writer.execute("SELECT coalesce(max(generation), 0) FROM objects").fetchone()[0]
        self._thread = threading.Thread(target=self._write_all, name="storage-index", daemon=True)
        self._thread.start()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=30)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def tick(self) -> int:
        self._last = max(time.time_ns() // 1000, self._last + 1)
        return self._last

    def read(self, statement: str, *values: Any) -> list[sqlite3.Row]:
        """Rows as of the last commit."""
        return self.scan(statement, *values).fetchall()

    def scan(self, statement: str, *values: Any) -> sqlite3.Cursor:
        """The same one by one; close it when enough were read."""
        return self.connection.execute(statement, values)

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's own connection for reading."""
        if not hasattr(self._readers, "connection"):
            self._readers.connection = self._open()
        connection: sqlite3.Connection = self._readers.connection
        return connection

    def one(self, statement: str, *values: Any) -> sqlite3.Row | None:
        rows = self.read(statement, *values)
        return rows[0] if rows else None

    async def write(self, change: Callable[[Transaction], Result]) -> Result:
        """Runs `change` alone and commits it, on disk; what it raises undoes it and is raised here.

        A caller that is cancelled leaves the change to be committed: it may have been already.
        """
        return await asyncio.wrap_future(self.submit(change))

    def submit(self, change: Callable[[Transaction], Result]) -> Future[Result]:
        future: Future[Result] = Future()
        future.set_running_or_notify_cancel()
        self._queue.put((change, future))
        return future

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()

    def _write_all(self) -> None:
        waiting = True
        while waiting:
            batch = [self._queue.get()]
            while len(batch) < _BATCH and not self._queue.empty():
                batch.append(self._queue.get())
            waiting = None not in batch
            self._commit([job for job in batch if job is not None])
        self._writer.close()

    def _commit(self, jobs: list[tuple[Callable[[Transaction], Any], Future[Any]]]) -> None:
        """All jobs in one transaction, each in a savepoint of its own; futures are told after the commit."""
        done: list[tuple[Future[Any], Any, list[str]]] = []
        refused: list[tuple[Future[Any], Exception]] = []
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            for change, future in jobs:
                transaction = Transaction(self._writer, self)
                self._writer.execute("SAVEPOINT change")
                try:
                    done.append((future, change(transaction), transaction.freed))
                except Exception as error:  # noqa: BLE001 - handed to the caller, who waits for it
                    self._writer.execute("ROLLBACK TO change")
                    refused.append((future, error))
                self._writer.execute("RELEASE change")
            self._writer.execute("COMMIT")
        except sqlite3.Error as error:  # a full disk, a broken file: nothing of this batch was stored
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            for _, future in jobs:
                future.set_exception(error)
            return
        for future, result, _ in done:
            future.set_result(result)
        # Told after the commit too: who hears that another was first must find what that one wrote.
        for future, refusal in refused:
            future.set_exception(refusal)
        self._free([blob for _, _, freed in done for blob in freed])
