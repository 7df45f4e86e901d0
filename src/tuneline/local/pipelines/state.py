"""The state of one pipeline job on disk: every task and every change of it, in `state.sqlite` of the job's folder.

Written by the job's driver alone, read by anyone. A change is in the file before anything is done because of it, so a
driver that was killed goes on from here.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCHEMA = """
begin immediate;
create table if not exists job (
    one integer primary key check (one = 1),
    state text not null, error text, started text, ended text, updated text not null
) strict;
create table if not exists task (
    path text primary key, record text not null
) strict;
insert or ignore into job (one, state, updated) values (1, 'PENDING', '');
commit;
"""
"""At once, so that nobody reads a table that has no row yet."""
ENDED = frozenset({"SUCCEEDED", "SKIPPED", "FAILED", "CANCELLED", "NOT_TRIGGERED"})
SUCCESS = frozenset({"SUCCEEDED", "SKIPPED"})
"""SKIPPED is the service's word for a task whose outputs came from the cache."""


@dataclass(kw_only=True)
class Task:
    """One task of the run: a step, a nested pipeline, a loop or one turn of a loop. Times are RFC 3339 in UTC."""

    path: str
    """Keys from the root down, joined by `/`; a turn of a loop is `loop#3`."""
    id: int
    parent: str
    """Path of the DAG or loop it belongs to; '' for the root."""
    key: str
    """Its key in the DAG, which is how the service names it."""
    component: str
    kind: str
    """`container`, `importer`, `dag` or `loop`."""
    created: str
    turn: int | None = None
    """Number of the turn, for one turn of a loop."""
    item: Any = None
    """The item of that turn: a value, or an artifact."""
    state: str = "PENDING"
    started: str = ""
    ended: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)
    """Parameter values by name."""
    input_artifacts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    output_artifacts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    error: str = ""
    tries: int = 0
    """Processes started for it, the ones lost with a driver included."""
    failures: int = 0
    """Tries that failed by themselves: what a retry policy counts."""
    retry_at: float = 0.0
    """Seconds of the epoch before which it is not tried again."""
    log: str = ""
    history: list[dict[str, str]] = field(default_factory=list)
    """Every state it has been in: {state, time, error}."""

    def turn_to(self, state: str, time: str, *, error: str = "") -> None:
        """Change the state, and the times that belong to it."""
        self.state = state
        self.error = error
        self.history.append({"state": state, "time": time, "error": error})
        if state == "RUNNING" and not self.started:
            self.started = time
        if state in ENDED:
            self.ended = time

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED


@dataclass(frozen=True, kw_only=True)
class Job:
    """The state of the job as a whole; `state` without its PIPELINE_STATE_ prefix."""

    state: str = "PENDING"
    error: str = ""
    started: str = ""
    ended: str = ""
    updated: str = ""


class State:
    """The file, open for writing."""

    def __init__(self, folder: Path) -> None:
        self.connection = sqlite3.connect(folder / "state.sqlite", isolation_level=None)
        # Readers never wait for the driver; after kill -9 every committed change is there.
        self.connection.execute("pragma journal_mode = wal")
        self.connection.execute("pragma synchronous = normal")
        self.connection.executescript(SCHEMA)

    @contextmanager
    def change(self) -> Iterator[None]:
        """Everything saved inside is on disk together, or not at all."""
        self.connection.execute("begin immediate")
        try:
            yield
        except BaseException:
            self.connection.execute("rollback")
            raise
        self.connection.execute("commit")

    def save(self, task: Task) -> None:
        self.connection.execute(
            "insert into task (path, record) values (?, ?) on conflict (path) do update set record = excluded.record",
            (task.path, json.dumps(vars(task), ensure_ascii=False)),
        )

    def save_job(self, job: Job) -> None:
        self.connection.execute(
            "update job set state = ?, error = ?, started = ?, ended = ?, updated = ?",
            (job.state, job.error, job.started, job.ended, job.updated),
        )

    def load(self) -> tuple[Job, list[Task]]:
        return _load(self.connection)

    def close(self) -> None:
        self.connection.close()


def read(folder: Path) -> tuple[Job, list[Task]]:
    """The job and its tasks in the order they were made; a job whose driver has not begun is PENDING."""
    path = folder / "state.sqlite"
    if not path.exists():
        return Job(), []
    with closing(sqlite3.connect(path, timeout=10)) as connection:
        try:
            return _load(connection)
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return Job(), []  # the driver is making the file at this moment
            raise


def _load(connection: sqlite3.Connection) -> tuple[Job, list[Task]]:
    row = connection.execute("select state, error, started, ended, updated from job").fetchone()
    job = Job(
        **{name: row[place] or "" for place, name in enumerate(("state", "error", "started", "ended", "updated"))}
    )
    tasks = [Task(**json.loads(record)) for (record,) in connection.execute("select record from task order by rowid")]
    return job, tasks
