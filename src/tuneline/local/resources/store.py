"""Resources and operations in one SQLite file: what was accepted is on disk before the answer leaves.

Messages are kept as bytes of their widest version, so that v1 and v1beta1 clients see the same resource. The file may
be opened with any SQLite tool: `resources(name, kind, parent, type, created, updated, body, private)`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, Protocol

from tuneline.local.resources.errors import ApiError, not_found
from tuneline.local.resources.names import parent_of

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resources (
  name TEXT PRIMARY KEY, kind TEXT NOT NULL, parent TEXT NOT NULL, type TEXT NOT NULL,
  created INTEGER NOT NULL, updated INTEGER NOT NULL, body BLOB NOT NULL, private TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX IF NOT EXISTS by_kind ON resources (kind, parent, created, name);
CREATE TABLE IF NOT EXISTS operations (
  name TEXT PRIMARY KEY, created INTEGER NOT NULL, done INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS points (
  series TEXT NOT NULL, step INTEGER NOT NULL, wall INTEGER NOT NULL, value REAL NOT NULL, PRIMARY KEY (series, step)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class Types(Protocol):
    """The part of the definition that the store needs."""

    def message_class(self, full_name: str) -> Any: ...
    def convert(self, message: Any, full_name: str) -> Any: ...
    def canonical(self, full_name: str) -> str: ...


class Clock(Protocol):
    """Where times come from."""

    def now(self) -> datetime: ...


class Store:
    """All resources and operations of one data folder; for the service's own thread only."""

    def __init__(self, path: Path, types: Types, clock: Clock) -> None:
        self.types = types
        self.clock = clock
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Fold the write-ahead log into the file and let go of it."""
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside, or none of them; never across an `await`."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # Resources

    def find(self, name: str) -> Any | None:
        """The resource of this name, or None."""
        row = self._db.execute("SELECT type, body FROM resources WHERE name = ?", (name,)).fetchone()
        return self.types.message_class(row[0]).FromString(row[1]) if row else None

    def get(self, name: str) -> Any:
        """The resource of this name; raises ApiError NOT_FOUND."""
        found = self.find(name)
        if found is None:
            raise not_found(name)
        return found

    def insert(self, resource: Any, *, kind: str = "", private: Mapping[str, Any] | None = None) -> None:
        """Write a new resource, with its create and update time; raises ApiError ALREADY_EXISTS."""
        kind = kind or resource.DESCRIPTOR.name
        now = self.clock.now()
        _stamp(resource, now, "create_time", "update_time")
        resource = self.types.convert(resource, self.types.canonical(resource.DESCRIPTOR.full_name))
        at = _nanoseconds(now)
        row = (resource.name, kind, parent_of(resource.name), resource.DESCRIPTOR.full_name, at, at)
        try:
            self._db.execute(
                "INSERT INTO resources VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, resource.SerializeToString(), json.dumps(private or {})),
            )
        except sqlite3.IntegrityError:
            raise ApiError(
                "ALREADY_EXISTS",
                f"Resource '{resource.name}' already exists.",
                reason="RESOURCE_ALREADY_EXISTS",
                metadata={"resource": resource.name},
            ) from None

    def put(self, resource: Any, *, private: Mapping[str, Any] | None = None) -> None:
        """Write a changed resource, with its update time, and what is remembered beside it, as one change."""
        now = self.clock.now()
        _stamp(resource, now, "update_time")
        resource = self.types.convert(resource, self.types.canonical(resource.DESCRIPTOR.full_name))
        done = self._db.execute(
            "UPDATE resources SET type = ?, updated = ?, body = ?, private = coalesce(?, private) WHERE name = ?",
            (
                resource.DESCRIPTOR.full_name,
                _nanoseconds(now),
                resource.SerializeToString(),
                None if private is None else json.dumps(private),
                resource.name,
            ),
        )
        if done.rowcount == 0:
            raise not_found(resource.name)

    def delete(self, name: str) -> None:
        """Remove a resource and everything below it."""
        below = name + "/"
        self._db.execute("DELETE FROM points WHERE series = ? OR substr(series, 1, ?) = ?", (name, len(below), below))
        self._db.execute("DELETE FROM resources WHERE name = ? OR substr(name, 1, ?) = ?", (name, len(below), below))

    def list(self, kind: str, parent: str = "") -> Iterator[Any]:
        """All resources of a kind, newest last; directly below `parent` if given (`-`: any one segment)."""
        query = "SELECT type, body FROM resources WHERE kind = ?"
        values: tuple[Any, ...] = (kind,)
        if parent and "/-" in parent:
            query += " AND parent GLOB ?"
            values += (parent.replace("[", "[[]").replace("/-", "/*"),)
        elif parent:
            query += " AND parent = ?"
            values += (parent,)
        for type_name, body in self._db.execute(query + " ORDER BY created, name", values).fetchall():
            yield self.types.message_class(type_name).FromString(body)

    def private(self, name: str) -> dict[str, Any]:
        """What a behaviour remembers beside the resource."""
        row = self._db.execute("SELECT private FROM resources WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise not_found(name)
        return dict(json.loads(row[0]))

    def remember(self, name: str, value: Mapping[str, Any]) -> None:
        """Replace what `private` returns."""
        self._db.execute("UPDATE resources SET private = ? WHERE name = ?", (json.dumps(value), name))

    # Operations

    def put_operation(self, operation: Any) -> None:
        """Write a long-running operation, new or changed."""
        self._db.execute(
            "INSERT INTO operations VALUES (?, ?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET done = excluded.done, body = excluded.body",
            (operation.name, _nanoseconds(self.clock.now()), int(operation.done), operation.SerializeToString()),
        )

    def find_operation(self, name: str) -> Any | None:
        """The operation of this name, or None."""
        row = self._db.execute("SELECT body FROM operations WHERE name = ?", (name,)).fetchone()
        return self.types.message_class("google.longrunning.Operation").FromString(row[0]) if row else None

    def operations(self, parent: str) -> Iterator[Any]:
        """The operations whose names begin with `parent`, newest first."""
        kind = self.types.message_class("google.longrunning.Operation")
        rows = self._db.execute(
            "SELECT body FROM operations WHERE substr(name, 1, ?) = ? ORDER BY created DESC", (len(parent), parent)
        )
        for (body,) in rows.fetchall():
            yield kind.FromString(body)

    def delete_operation(self, name: str) -> None:
        self._db.execute("DELETE FROM operations WHERE name = ?", (name,))

    # Points of time series

    def add_points(self, series: str, points: Iterable[tuple[int, int, float]]) -> None:
        """Write (step, wall time in nanoseconds, value); a step that is there already is replaced."""
        rows = [(series, *point) for point in points]
        self._db.executemany("INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?)", rows)

    def points(self, series: str) -> list[tuple[int, int, float]]:
        """(step, wall time in nanoseconds, value), by step."""
        rows = self._db.execute("SELECT step, wall, value FROM points WHERE series = ? ORDER BY step", (series,))
        return rows.fetchall()

    def last_point(self, series: str) -> tuple[int, int, float] | None:
        """The point with the highest step, or None."""
        query = "SELECT step, wall, value FROM points WHERE series = ? ORDER BY step DESC LIMIT 1"
        found = self._db.execute(query, (series,)).fetchone()
        return None if found is None else (found[0], found[1], found[2])

    def count_points(self, above: str) -> int:
        """How many points there are below a name."""
        below = above + "/"
        query = "SELECT count(*) FROM points WHERE substr(series, 1, ?) = ?"
        return int(self._db.execute(query, (len(below), below)).fetchone()[0])

    # Facts of the service itself

    def fact(self, key: str) -> str | None:
        """A value kept for the service, or None."""
        row = self._db.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def set_fact(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (key, value))


def atomic(handler: Callable[..., Any]) -> Callable[..., Any]:
    """A method handler whose writes happen together or not at all."""

    @wraps(handler)
    def together(service: Any, request: Any, call: Any) -> Any:
        with service.store.transaction():
            return handler(service, request, call)

    return together


def _stamp(resource: Any, now: datetime, *fields: str) -> None:
    for field in fields:
        descriptor = resource.DESCRIPTOR.fields_by_name.get(field)
        if descriptor and descriptor.message_type and descriptor.message_type.full_name == "google.protobuf.Timestamp":
            getattr(resource, field).FromDatetime(now)


def _nanoseconds(moment: datetime) -> int:
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000) * 1000
