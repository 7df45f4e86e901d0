"""The state file can be read at any moment of its making and of its life."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tuneline.local.pipelines import state

NOW = "2026-11-20T12:00:00Z"


def test_a_reader_finds_a_whole_state_while_the_file_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before each statement that makes the file, and after the last, the job is PENDING and has no tasks."""
    connect, seen = sqlite3.connect, []

    def traced(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.set_trace_callback(look)
        return connection

    def look(statement: str) -> None:
        monkeypatch.setattr(sqlite3, "connect", connect)
        seen.append((statement, state.read(tmp_path)))

    monkeypatch.setattr(sqlite3, "connect", traced)
    made = state.State(tmp_path)
    assert len(seen) >= 5
    assert any("insert" in statement for statement, _ in seen)
    assert all(found == (state.Job(), []) for _, found in [*seen, ("", state.read(tmp_path))])
    made.close()


def test_what_was_saved_is_found_again_in_order(tmp_path: Path) -> None:
    """A second opening loses nothing; a change that failed leaves nothing."""
    made = state.State(tmp_path)
    tasks = [
        state.Task(path=f"root/{n}", id=n, parent="root", key=str(n), component="c", kind="container", created=NOW)
        for n in (3, 1, 2)
    ]
    with made.change():
        made.save_job(state.Job(state="RUNNING", updated=NOW))
        for task in tasks:
            made.save(task)
    made.close()
    again = state.State(tmp_path)

    def fail() -> None:
        with again.change():
            again.save_job(state.Job(state="FAILED", updated=NOW))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert again.load() == state.read(tmp_path) == (state.Job(state="RUNNING", updated=NOW), tasks)
    again.close()
